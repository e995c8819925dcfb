"""Requests and answers of contract 2.10 but for plans. Money is decimal text in USD."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StringConstraints, WithJsonSchema
from tidegate_kit.http import ApiModel, PageFields, RequestModel, Timestamp
from tidegate_kit.http.schema import ID_PATTERN, Line, NotNull, Text

from tidegate.findings.instants import read_instant

Money = Annotated[str, Field(pattern=r"^-?\d+\.\d{2,}$", examples=["8.00"])]
Number = Annotated[str, Field(pattern=r"^-?\d+(\.\d+)?$", examples=["100"])]
Instant = Annotated[
    datetime,
    BeforeValidator(read_instant),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-01-02T09:00:00Z"]}),
]
AccountNumber = Annotated[str, StringConstraints(pattern=r"^\d{12}$")]
CheckId = Annotated[Line, Field(min_length=1, max_length=100)]
Id = Annotated[str, StringConstraints(pattern=ID_PATTERN)]
Group = Literal["waste", "storage"]
Status = Literal["open", "excepted", "planned", "resolved"]
State = Literal["found", "clean", "unknown"]


class ResourceView(ApiModel):
    """What a finding is about."""

    arn: str
    type: str
    id: str
    name: str | None
    tags: dict[str, str]


class QuantityView(ApiModel):
    """A number of a formula."""

    name: str
    value: Number
    unit: str


class PriceView(ApiModel):
    """A price of a formula: the list price; null where the price book does not know it.

    `effective_unit_price` is what the account really pays by its bills; null where they do not
    tell.
    """

    name: str
    unit_price: Number | None
    unit: str
    source: str
    date: str
    effective_unit_price: Number | None


class SavingView(ApiModel):
    """The value of `formula` over quantities and prices, rounded to 6 places; null: unpriced.

    `effective_monthly` is its value over effective prices; null where one is not known.
    """

    monthly: Money | None
    currency: Literal["USD"]
    formula: str
    quantities: list[QuantityView]
    prices: list[PriceView]
    confidence: Literal["exact", "upper_bound", "estimate"]
    effective_monthly: Money | None


class ActionView(ApiModel):
    """The action that a plan would do."""

    id: str
    reversible: bool
    undo_hours: int | None


class MarkView(ApiModel):
    """The exception that a finding is under."""

    id: str
    owner: str
    reason: str
    expires_at: Timestamp


class FindingView(ApiModel):
    """One finding."""

    id: str
    group: Group
    check_id: str
    title: str
    severity: Literal["low", "medium", "high"]
    account_id: str
    region: str
    resource: ResourceView
    status: Status
    evidence: dict[str, Any]
    fingerprint: str
    saving: SavingView
    action: ActionView | None
    exception: MarkView | None
    first_seen_at: Timestamp
    last_seen_at: Timestamp


class FindingList(PageFields):
    """GET findings, newest first."""

    findings: list[FindingView]


class CoverageView(ApiModel):
    """How many (check, account, region) are in which state."""

    found: int
    clean: int
    unknown: int
    percent: float | None = Field(description="Of all, those that are not unknown.")


class CheckTotalView(ApiModel):
    """Open findings of one check."""

    check_id: str
    open: int
    monthly: Money | None


class SummaryView(ApiModel):
    """Open findings in numbers; unpriced ones are counted, never valued at 0."""

    identified_monthly: Money
    open: int
    priced: int
    unpriced: int
    coverage: CoverageView
    by_check: list[CheckTotalView]
    as_of: Timestamp | None


class StateView(ApiModel):
    """One check in one region of one account."""

    account_id: str
    region: str
    state: State
    findings: int
    missing_actions: list[str]
    reason: str | None
    checked_at: Timestamp


class CheckView(ApiModel):
    """One check, what it needs and how it stands."""

    check_id: str
    title: str
    required_actions: list[str]
    states: list[StateView]


class CheckList(ApiModel):
    """GET checks."""

    checks: list[CheckView]


class RefreshStart(RequestModel):
    """POST refresh; without lists: every account, every check of the group."""

    account_ids: Annotated[
        list[AccountNumber] | None, NotNull, Field(min_length=1, max_length=500)
    ] = None
    check_ids: Annotated[list[CheckId] | None, NotNull, Field(min_length=1, max_length=100)] = None


class RefreshStarted(ApiModel):
    """A refresh that goes on."""

    execution_id: str
    status: Literal["running"]


class ExceptionCreate(RequestModel):
    """POST exceptions: a finding, or a check and a resource."""

    finding_id: Annotated[Id | None, NotNull] = None
    check_id: Annotated[CheckId | None, NotNull] = None
    resource_arn: Annotated[Line | None, NotNull, Field(min_length=1, max_length=2000)] = None
    owner: Annotated[Line, Field(min_length=1, max_length=2000)]
    reason: Annotated[Text, Field(min_length=5, max_length=500)]
    expires_at: Instant


class ExceptionView(ApiModel):
    """One exception."""

    id: str
    finding_id: str
    check_id: str
    resource_arn: str
    owner: str
    reason: str
    expires_at: Timestamp
    created_by: str
    created_at: Timestamp
    active: bool


class ExceptionList(PageFields):
    """GET exceptions, newest first."""

    exceptions: list[ExceptionView]


class Deleted(ApiModel):
    """DELETE."""

    id: str
    deleted: Literal[True] = True


class ThresholdsBody(RequestModel):
    """PUT thresholds; merged into what is set."""

    checks: Annotated[dict[CheckId, dict[str, Any]], Field(max_length=100)]


class ThresholdsView(ApiModel):
    """Every check's thresholds: what is set, else the defaults."""

    checks: dict[str, dict[str, int | float]]


class SimulateBody(RequestModel):
    """POST simulate."""

    check_ids: Annotated[list[CheckId] | None, NotNull, Field(min_length=1, max_length=100)] = None
    thresholds: Annotated[dict[CheckId, dict[str, Any]] | None, NotNull, Field(max_length=100)] = (
        None
    )
    snapshot_at: Annotated[Instant | None, NotNull] = None
    account_ids: Annotated[
        list[AccountNumber] | None, NotNull, Field(min_length=1, max_length=500)
    ] = None


class SideView(ApiModel):
    """What is found, and the sum of what is priced of it."""

    found: int
    monthly: Money


class ChangedView(ApiModel):
    """A resource that would be judged differently."""

    check_id: str
    resource_arn: str
    before: State
    after: State


class SimulationView(ApiModel):
    """POST simulate: the same snapshot gives the same answer."""

    snapshot_at: Timestamp
    before: SideView
    after: SideView
    changed: list[ChangedView]
