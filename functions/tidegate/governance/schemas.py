"""Requests and answers of governance (contract 2.11)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StringConstraints
from tidegate_kit.http import ApiModel, PageFields, RequestModel, Text, Timestamp
from tidegate_kit.http.schema import Instant, Line, NotNull, clean_text

SubjectType = Literal["plan", "workflow_step", "model_promotion"]
Status = Literal["pending", "approved", "rejected", "expired", "cancelled"]
Effect = Literal["allow", "require_approval", "deny"]
Hash = Annotated[str, StringConstraints(min_length=1, max_length=128)]
Comment = Annotated[Text, StringConstraints(min_length=1, max_length=1000)]
Name = Annotated[Line, StringConstraints(min_length=1, max_length=200)]
CedarText = Annotated[Text, StringConstraints(min_length=1, max_length=20_000)]


def _checked(value: str) -> str:
    clean_text(value)
    return value


# As it came, so that lines and columns are those of the sender.
RawText = Annotated[
    str, StringConstraints(min_length=1, max_length=20_000), AfterValidator(_checked)
]


class PolicyModel(ApiModel):
    """A policy."""

    id: str
    name: str
    text: str
    enabled: bool
    version: int
    created_by: str
    created_at: Timestamp
    updated_at: Timestamp


class PolicyList(PageFields):
    """Policies, newest first."""

    policies: list[PolicyModel]


class NewPolicy(RequestModel):
    """POST /governance/policies."""

    name: Name
    text: CedarText
    enabled: bool = True


class PolicyUpdate(RequestModel):
    """PUT /governance/policies/{id}; what is left out stays."""

    name: Annotated[Name | None, NotNull] = None
    text: Annotated[CedarText | None, NotNull] = None
    enabled: Annotated[bool | None, NotNull] = None
    expected_version: Annotated[int | None, Field(ge=1, le=10**8), NotNull] = None


class VersionModel(ApiModel):
    """One immutable version."""

    version: int
    text: str
    created_by: str
    created_at: Timestamp


class VersionList(PageFields):
    """Versions, newest first."""

    versions: list[VersionModel]


class PolicyText(RequestModel):
    """POST /governance/policies/validate."""

    text: RawText


class TextError(ApiModel):
    """One problem; line and column count from 1."""

    line: int
    column: int
    message: str


class Validity(ApiModel):
    """Whether a text may be stored."""

    valid: bool
    errors: list[TextError]


class TrialModel(RequestModel):
    """A text to try: in the place of policy `id`, or as a further policy."""

    text: CedarText
    id: Annotated[str | None, StringConstraints(min_length=1, max_length=64), NotNull] = None


class Simulate(RequestModel):
    """POST /governance/policies/simulate."""

    policies: Annotated[list[TrialModel], Field(max_length=50)]
    from_: Annotated[Instant | None, Field(alias="from"), NotNull] = None
    to: Annotated[Instant | None, NotNull] = None


class ResourceModel(ApiModel):
    """What a decision was about (GOV-1)."""

    arn: str
    type: str
    region: str
    account: str
    tags: dict[str, str]
    reversible: bool


class ContextModel(ApiModel):
    """What the action meant (GOV-1); weekday 1 is Monday."""

    monthly_saving_cents: int
    item_count: int
    hour_utc: int
    weekday: int
    environment: str


class ChangedDecision(ApiModel):
    """A decision that would have been another."""

    decision_id: str
    action: str
    resource: ResourceModel
    before: Effect
    after: Effect
    monthly: str | None


class SimulationModel(ApiModel):
    """What the tried policies would have said; at most 100 changes are shown."""

    evaluated: int
    unchanged: int
    changed: list[ChangedDecision]
    monthly_affected: str


class DecisionModel(ApiModel):
    """A recorded decision."""

    id: str
    at: Timestamp
    principal: str
    action: str
    resource: ResourceModel
    context: ContextModel
    effect: Effect
    policy_ids: list[str]
    policy_versions: dict[str, int]


class DecisionList(PageFields):
    """Decisions, newest first."""

    decisions: list[DecisionModel]


class DeletedPolicy(ApiModel):
    """A policy that was removed."""

    id: str
    deleted: Literal[True] = True


class Subject(ApiModel):
    """What is to be approved; `hash` is what a vote binds to."""

    type: SubjectType
    id: str
    hash: str


class VoteModel(ApiModel):
    """One person's decision."""

    user_id: str
    email: str
    decision: Literal["approve", "reject"]
    comment: str
    decided_at: Timestamp
    subject_hash: str


class ApprovalModel(ApiModel):
    """An approval."""

    id: str
    subject: Subject
    title: str
    description: str
    status: Status
    requested_by: str
    requested_at: Timestamp
    quorum: int
    approver_role: str
    approvals: list[VoteModel]
    policy_ids: list[str]
    expires_at: Timestamp


class ApprovalList(PageFields):
    """Approvals, newest first."""

    approvals: list[ApprovalModel]


class Approve(RequestModel):
    """POST /approvals/{id}/approve."""

    subject_hash: Hash
    comment: Annotated[Comment | None, NotNull] = None


class Reject(RequestModel):
    """POST /approvals/{id}/reject."""

    subject_hash: Hash
    comment: Comment


class ActorModel(ApiModel):
    """Who acted; unknown parts are empty."""

    type: str
    id: str
    email: str
    ip: str


class AuditResource(ApiModel):
    """What was acted upon."""

    type: str
    id: str


class AuditEntry(ApiModel):
    """One entry. `hash` is SHA-256 of `prev_hash` and the RFC 8785 JSON of the other fields."""

    sequence: int
    timestamp: str
    actor: ActorModel
    action: str
    resource: AuditResource
    outcome: str
    request_id: str
    details: dict[str, Any]
    prev_hash: str
    hash: str


class VerificationModel(ApiModel):
    """Whether the whole log is as it was written."""

    valid: bool
    first_bad_sequence: int | None
    head_hash: str


class AuditList(PageFields):
    """Entries, newest first."""

    entries: list[AuditEntry]
    verification: VerificationModel | None = Field(
        default=None,
        description="With verify=true alone.",
        exclude_if=lambda value: value is None,
    )
