"""Domain objects of findings; no AWS, no storage. Money is `Decimal` USD, unrounded inside."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, Protocol

from tidegate_kit.dynamo import Transaction

Group = Literal["waste", "storage"]
Severity = Literal["low", "medium", "high"]
Status = Literal["open", "excepted", "planned", "resolved"]
State = Literal["found", "clean", "unknown"]
Confidence = Literal["exact", "upper_bound", "estimate"]
CURRENCY = "USD"


def finding_id(tenant_id: str, check_id: str, arn: str) -> str:
    """The id of a finding: a UUID4-shaped digest of tenant, check and resource.

    So a refresh never makes a second finding of the same thing (FND-3), and the id passes where
    ids are UUID4 (GEN-10).
    """
    digest = hashlib.sha256(f"{tenant_id}\n{check_id}\n{arn}".encode()).digest()
    return str(uuid.UUID(bytes=digest[:16], version=4))


def exception_id(tenant_id: str, check_id: str, arn: str) -> str:
    """The id of the one exception that a check and a resource can have."""
    return finding_id(tenant_id, f"exception {check_id}", arn)


@dataclass(frozen=True)
class FindingResource:
    """What a finding is about. `id` is the inventory's id of the resource."""

    arn: str
    type: str
    id: str
    name: str | None
    tags: Mapping[str, str]


@dataclass(frozen=True)
class Quantity:
    """A number of a formula: `value` in `unit`."""

    name: str
    value: Decimal
    unit: str


@dataclass(frozen=True)
class PriceUsed:
    """A price of a formula: USD per `unit`; None where the price book does not know it (FND-2).

    `source` and `date` (ISO) say where and when the figure was published; both are "" for an
    unknown one. `effective_unit_price` is what the account really pays by its own bills, None
    where they do not tell.
    """

    name: str
    unit_price: Decimal | None
    unit: str
    source: str
    date: str
    effective_unit_price: Decimal | None = None


@dataclass(frozen=True)
class Saving:
    """What acting saves: USD a month, None where a price or a quantity is not known.

    `formula` is an arithmetic expression over the names of quantities and prices; its value,
    rounded half-even to 6 places, is `monthly`. `effective_monthly` is its value over effective
    prices; None where one of them is not known.
    """

    monthly: Decimal | None
    formula: str
    quantities: tuple[Quantity, ...] = ()
    prices: tuple[PriceUsed, ...] = ()
    confidence: Confidence = "exact"
    currency: str = CURRENCY
    effective_monthly: Decimal | None = None


@dataclass(frozen=True)
class SuggestedAction:
    """The action of FND-12 that a check suggests; `undo_hours` None for irreversible ones."""

    id: str
    reversible: bool
    undo_hours: int | None
    parameters: Mapping[str, Any]


@dataclass(frozen=True)
class ExceptionMark:
    """The exception that a finding is under until `expires_at`."""

    id: str
    owner: str
    reason: str
    expires_at: datetime


@dataclass(frozen=True)
class Finding:
    """One finding. `status` is as of the moment it was read: an expired exception is open again.

    `fingerprint` is that of the resource in the inventory that the check saw: SHA-256 of its
    settings (discovery). `generation` counts the disconnects of the account before it;
    `unit_region` is where the inventory lists it: its region, or "global".
    """

    id: str
    group: Group
    check_id: str
    title: str
    severity: Severity
    account_id: str
    onboarding_id: str
    region: str
    resource: FindingResource
    status: Status
    evidence: Mapping[str, Any]
    fingerprint: str
    saving: Saving
    action: SuggestedAction | None
    first_seen_at: datetime
    last_seen_at: datetime
    exception: ExceptionMark | None = None
    plan_id: str | None = None
    resolved_at: datetime | None = None
    generation: int = 0
    unit_region: str = ""
    version: int = 1

    @property
    def active(self) -> bool:
        """True while it is not resolved."""
        return self.status != "resolved"


@dataclass(frozen=True)
class Change:
    """A finding to store: `before` is what was read (None: nothing of this generation)."""

    before: Finding | None
    after: Finding
    replaces: int | None = None  # version of a row of an ended generation that is in the way


@dataclass(frozen=True)
class Count:
    """Findings of one check in one region of an account: those not resolved, and the resolved."""

    group: Group
    account_id: str
    region: str
    check_id: str
    active: int
    priced: int
    monthly: Decimal
    resolved: int


@dataclass(frozen=True)
class CheckState:
    """One check in one region (FND-1), as of the inventory of `checked_at`.

    `settled`: every resource was listed, so what was not found is not there.
    """

    check_id: str
    region: str
    state: State
    findings: int
    missing_actions: tuple[str, ...]
    reason: str | None
    settled: bool
    checked_at: datetime


@dataclass(frozen=True)
class RegionStates:
    """The states of a region of an account as of the inventory of `checked_at`."""

    account_id: str
    generation: int
    region: str
    checked_at: datetime
    states: tuple[CheckState, ...]


@dataclass(frozen=True)
class FindingException:
    """An exception: a check is not to complain about a resource until `expires_at` (FND-4)."""

    id: str
    finding_id: str
    check_id: str
    resource_arn: str
    owner: str
    reason: str
    expires_at: datetime
    created_by: str
    created_at: datetime

    def active(self, now: datetime) -> bool:
        """True until it expires."""
        return self.expires_at > now

    @property
    def mark(self) -> ExceptionMark:
        """What a finding carries of it."""
        return ExceptionMark(self.id, self.owner, self.reason, self.expires_at)


@dataclass(frozen=True)
class Refresh:
    """One refresh; empty `account_ids` and `check_ids` mean all. `failures`: account -> reason."""

    id: str
    status: Literal["running", "completed", "failed"]
    trigger: str
    account_ids: tuple[str, ...]
    check_ids: tuple[str, ...]
    started_at: datetime
    deadline_at: datetime
    completed_at: datetime | None = None
    failures: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class FindingFilters:
    """Filters of the lists; None: any."""

    check_id: str | None = None
    account_id: str | None = None
    region: str | None = None
    status: Status | None = None
    min_monthly: Decimal | None = None

    def fit(self, finding: Finding) -> bool:
        """True when a finding passes."""
        monthly = finding.saving.monthly
        return (
            self.check_id in (None, finding.check_id)
            and self.account_id in (None, finding.account_id)
            and self.region in (None, finding.region)
            and self.status in (None, finding.status)
            and (self.min_monthly is None or (monthly or Decimal(0)) >= self.min_monthly)
        )


class Findings(Protocol):
    """Findings of one tenant, as plans need them."""

    def get(self, finding_id: str) -> Finding | None:
        """One finding of a connected account, read consistently; None where there is none."""

    def get_many(self, ids: Sequence[str]) -> dict[str, Finding]:
        """Up to 100 findings by id, read consistently; absent ones are left out."""

    def mark_planned(
        self,
        transaction: Transaction,
        finding_id: str,
        plan_id: str,
        now: datetime,
        *,
        fingerprint: str | None = None,
    ) -> None:
        """Add the one write that makes an open finding planned to the caller's transaction.

        Its condition (named by the finding's id): it is open, has `fingerprint` (None: the one
        that is stored now) and was not changed since this call read it. Raises NotFound for an
        absent one, FindingInPlan (409) for one that is not open or has another fingerprint.
        """

    def release(
        self, transaction: Transaction, finding_id: str, plan_id: str, now: datetime
    ) -> None:
        """Add the write that makes a finding of this plan open again; nothing if it is not in it.

        Condition named by the finding's id: it is still in this plan.
        """
