"""Onboarding's own objects: a registration of one AWS account, its checks, its refusal."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

Method = Literal["role", "credentials"]
Tier = Literal["read", "remediate"]
Status = Literal["pending", "verifying", "connected", "refused", "access_lost", "disconnected"]
RefusalCode = Literal[
    "ROLE_NOT_ASSUMABLE",
    "EXTERNAL_ID_NOT_ENFORCED",
    "EXTERNAL_ID_NOT_CHECKED",
    "TRUST_TOO_BROAD",
    "TRUST_UNREADABLE",
    "ACCOUNT_MISMATCH",
    "INVALID_AWS_CREDENTIALS",
]

ROTATE_KEYS_AFTER = timedelta(days=90)  # ONB-7
# Statuses that hold the global claim of the AWS account (ONB-6, ONB-9).
HOLDING: frozenset[Status] = frozenset({"connected", "access_lost"})


@dataclass(frozen=True)
class Refusal:
    """Why access was refused, and how the customer mends it (ONB-5)."""

    code: RefusalCode
    fix: str


@dataclass(frozen=True)
class Check:
    """One probe of a verification."""

    name: str
    passed: bool
    detail: str


@dataclass(frozen=True)
class Verdict:
    """The outcome of a verification: refusal None means that the account may be connected."""

    role_arn: str
    checks: tuple[Check, ...]
    refusal: Refusal | None


@dataclass(frozen=True)
class Lease:
    """The right to verify one registration until an instant."""

    token: str
    until: datetime


@dataclass(frozen=True)
class Registration:
    """One AWS account of one tenant, from request to disconnection."""

    id: str
    tenant_id: str
    account_id: str
    method: Method
    tier: Tier
    regions: tuple[str, ...]
    label: str | None
    status: Status
    created_at: datetime
    updated_at: datetime
    actor: str  # who made the last change: a user id, "stack" or "reprobe"
    revision: int = 0
    external_id: str | None = None
    role_name: str | None = None
    role_arn: str | None = None
    template_key: bytes | None = field(default=None, repr=False)
    template_copy: str | None = None  # S3 key of the current template's copy
    checks: tuple[Check, ...] = ()
    refusal: Refusal | None = None
    lease: Lease | None = None
    connected_at: datetime | None = None
    last_verified_at: datetime | None = None
    disconnected_at: datetime | None = None
    discovery_run_id: str | None = None
    last_discovery_run_id: str | None = None
    last_discovery_at: datetime | None = None
    sealed_keys: str | None = field(default=None, repr=False)
    access_key_masked: str | None = None
    keys_set_at: datetime | None = None
    stack_id: str | None = None
    stack_removed_at: datetime | None = None
    alert: str | None = None
    alert_at: datetime | None = None

    @property
    def holds_claim(self) -> bool:
        """True while the AWS account is globally this registration's."""
        return self.status in HOLDING

    def shown_status(self, now: datetime) -> Status:
        """The status to answer with: a verification whose worker died does not run for ever."""
        if self.status == "verifying" and (self.lease is None or self.lease.until <= now):
            return "refused" if self.refusal is not None else "pending"
        return self.status

    def keys_due(self, now: datetime) -> bool:
        """True when long-lived keys are to be rotated (ONB-7)."""
        return self.keys_set_at is not None and now >= self.keys_set_at + ROTATE_KEYS_AFTER
