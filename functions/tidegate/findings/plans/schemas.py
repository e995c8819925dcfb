"""Requests and answers of plans and savings (contract 2.10). Money is decimal text in USD."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field
from tidegate_kit.http import ApiModel, PageFields, RequestModel, Timestamp
from tidegate_kit.http.schema import NotNull

from tidegate.findings.plans.domain import ItemStatus, PlanStatus
from tidegate.findings.schemas import Id, Money


class PlanCreate(RequestModel):
    """POST /waste/plans."""

    finding_ids: list[Id] = Field(min_length=1, max_length=50)
    expires_in_hours: int = Field(default=72, ge=1, le=168)


class UndoStart(RequestModel):
    """POST /waste/plans/{id}/undo: all that can be undone, unless items are named."""

    item_ids: Annotated[
        list[Id] | None, NotNull, Field(min_length=1, max_length=50)
    ] = None  # fmt: skip


class ProblemView(ApiModel):
    """Why an item was not done or not undone."""

    code: str
    message: str


class ItemView(ApiModel):
    """One action of a plan."""

    item_id: str
    finding_id: str
    resource_arn: str
    fingerprint: str
    action: str
    parameters: dict[str, Any]
    monthly: Money | None
    reversible: bool
    undo_until: Timestamp | None
    status: ItemStatus
    error: ProblemView | None


class TotalsView(ApiModel):
    """What the plan saves a month; unpriced items are counted, never valued at 0."""

    monthly: Money
    unpriced: int


class DecisionView(ApiModel):
    """What the policies said when the plan was made."""

    effect: Literal["allow", "require_approval"]
    policy_ids: list[str]
    quorum: int


class PlanView(ApiModel):
    """One plan."""

    id: str
    status: PlanStatus
    plan_hash: str
    items: list[ItemView]
    totals: TotalsView
    decision: DecisionView
    approval_id: str | None
    execution_id: str | None
    created_by: str
    created_at: Timestamp
    expires_at: Timestamp


class PlanList(PageFields):
    """GET /waste/plans, newest first."""

    plans: list[PlanView]


class ExecutionStarted(ApiModel):
    """A run was started."""

    plan_id: str
    execution_id: str
    status: Literal["executing"] = "executing"


class UndoStarted(ApiModel):
    """A run back was started."""

    plan_id: str
    execution_id: str
    status: Literal["undoing"] = "undoing"


class MeasuredView(ApiModel):
    """What was saved over the first so many days, against the counterfactual; null: not known."""

    days: int
    amount: Money | None


class LedgerView(ApiModel):
    """One executed action."""

    id: str
    plan_id: str
    finding_id: str
    check_id: str
    account_id: str
    estimated_monthly: Money | None
    acted_at: Timestamp
    undone_at: Timestamp | None
    measured: list[MeasuredView]
    realised_to_date: Money | None


class CalibrationView(ApiModel):
    """How estimates of a check compare with what was measured: 1 is exact."""

    check_id: str
    ratio: float
    samples: int


class LedgerTotals(ApiModel):
    """Sums over the entries asked for, not only over the page."""

    estimated_monthly: Money
    realised_to_date: Money
    unmeasured: int
    calibration: list[CalibrationView]


class SavingsView(PageFields):
    """GET /waste/savings."""

    entries: list[LedgerView]
    totals: LedgerTotals
