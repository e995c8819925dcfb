"""Policies, decisions, approvals and audit entries as plain values (contract 2.11)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

Effect = Literal["allow", "require_approval", "deny"]
SubjectType = Literal["plan", "workflow_step", "model_promotion"]
ApprovalStatus = Literal["pending", "approved", "rejected", "expired", "cancelled"]
Verdict = Literal["approve", "reject"]


@dataclass(frozen=True)
class PolicyPrincipal:
    """Who acts: User::"<id>", in the roles user, client, admin, owner or system."""

    id: str
    roles: tuple[str, ...]
    email: str | None = None


@dataclass(frozen=True)
class PolicyResource:
    """What is acted upon. `arn` may be any id where there is no ARN; tags are text by text."""

    arn: str
    type: str
    region: str = ""
    account: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    reversible: bool = True


@dataclass(frozen=True)
class PolicyContext:
    """What the action means. Governance adds hour_utc (0..23) and weekday (1 Monday .. 7)."""

    monthly_saving_cents: int = 0
    item_count: int = 1
    environment: str = ""


@dataclass(frozen=True)
class Decision:
    """What the policies say. `quorum`, `expiry_hours` are 0 unless an approval is required."""

    id: str
    effect: Effect
    policy_ids: tuple[str, ...]
    policy_versions: Mapping[str, int]
    quorum: int = 0
    approver_role: str = "client"
    expiry_hours: int = 0
    # SHA-256 of every policy that took part; another hash at the effect means: decide again (B21).
    policy_set_hash: str = ""


@dataclass(frozen=True)
class Question:
    """Everything a decision rests on; replayed by simulate."""

    principal: PolicyPrincipal
    action: str
    resource: PolicyResource
    context: PolicyContext
    hour_utc: int
    weekday: int


@dataclass(frozen=True)
class RecordedDecision:
    """A decision as it was made. `problem`: why policies could not be evaluated, else empty."""

    at: datetime
    question: Question
    decision: Decision
    problem: str = ""

    @property
    def id(self) -> str:
        """The decision's id."""
        return self.decision.id


@dataclass(frozen=True)
class Policy:
    """A Cedar policy text of a tenant; it may hold several statements."""

    id: str
    name: str
    text: str
    enabled: bool
    version: int
    created_by: str
    created_at: datetime
    updated_at: datetime
    updated_by: str


@dataclass(frozen=True)
class PolicyVersion:
    """One immutable version of a policy's text."""

    version: int
    text: str
    created_by: str
    created_at: datetime


@dataclass(frozen=True)
class NewApproval:
    """An approval to be asked for; `subject_hash` is what every vote binds to."""

    id: str
    subject_type: SubjectType
    subject_id: str
    subject_hash: str
    title: str
    description: str
    requested_by: str
    quorum: int
    approver_role: str
    policy_ids: tuple[str, ...]
    expires_at: datetime


@dataclass(frozen=True)
class Vote:
    """One person's decision, bound to what was shown."""

    user_id: str
    email: str
    decision: Verdict
    comment: str
    decided_at: datetime
    subject_hash: str


@dataclass(frozen=True)
class Approval:
    """An approval; `approvals` holds the votes, rejections too."""

    id: str
    subject_type: SubjectType
    subject_id: str
    subject_hash: str
    title: str
    description: str
    status: ApprovalStatus
    requested_by: str
    requested_at: datetime
    quorum: int
    approver_role: str
    approvals: tuple[Vote, ...]
    policy_ids: tuple[str, ...]
    expires_at: datetime
    closed_at: datetime | None = None
    closed_by: str | None = None
    revision: int = 1

    def shown_status(self, now: datetime) -> ApprovalStatus:
        """The status now: expiry holds on read (GOV-4)."""
        if self.status == "pending" and now >= self.expires_at:
            return "expired"
        return self.status


@dataclass(frozen=True)
class Actor:
    """Who did something: type user, system or anonymous. Unknown parts are empty."""

    type: Literal["user", "system", "anonymous"]
    id: str = ""
    email: str = ""
    ip: str = ""


@dataclass(frozen=True)
class AuditAct:
    """Something to be audited. `source_id` names the act: the same one is entered once.

    `details` holds text, whole numbers, booleans, null, lists and maps of these; no secret.
    """

    source_id: str
    at: datetime
    actor: Actor
    action: str
    resource_type: str
    resource_id: str
    outcome: Literal["success", "failure"] = "success"
    request_id: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
