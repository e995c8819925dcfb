"""Routes of plans (contract 2.10)."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends
from tidegate_kit.http import CurrentCall, PageParams, Paging, PathId

from tidegate.findings.errors import FindingInPlan
from tidegate.findings.plans import answers, schemas
from tidegate.findings.plans.domain import Person
from tidegate.findings.plans.errors import (
    NotReversible,
    PlanAlreadyExecuted,
    PlanDrift,
    PlanExecuting,
    PlanExpired,
    PlanNotApproved,
    PolicyDenied,
    TierInsufficient,
    UndoExpired,
)
from tidegate.findings.plans.service import PlanService
from tidegate.findings.plans.wiring import plan_service
from tidegate.findings.routes.router import router
from tidegate.governance.public import policy_principal

Page = Annotated[PageParams, Depends()]


def _plans(call: CurrentCall) -> PlanService:
    return plan_service(call.principal.tenant, lambda: call.now)


def _person(call: CurrentCall) -> Person:
    seen = policy_principal(call.principal)
    return Person(seen.id, seen.roles, seen.email)


@router.post(
    "/waste/plans",
    permission="plan:create",
    status=201,
    idempotent=True,
    errors=[PolicyDenied, FindingInPlan, TierInsufficient],
)
def create_plan(call: CurrentCall, body: schemas.PlanCreate) -> schemas.PlanView:
    """Plan the actions of open findings; policies decide whether it needs an approval."""
    made = _plans(call).create(
        body.finding_ids,
        body.expires_in_hours,
        _person(call),
        call.request_id,
        plan_id=call.effect_key,
    )
    return answers.plan(made, {})


@router.get("/waste/plans", permission="finding:read")
def list_plans(call: CurrentCall, params: Page) -> schemas.PlanList:
    """Plans, newest first."""
    paging = Paging(call, params, {})
    rows, total, next_key = _plans(call).page(paging.skip, paging.page_size, paging.start)
    shown = [answers.plan(plan, entries) for plan, entries in rows]
    return schemas.PlanList(plans=shown, **paging.fields(total, next_key))


@router.get("/waste/plans/{id}", permission="finding:read")
def read_plan(call: CurrentCall, id: PathId) -> schemas.PlanView:
    """One plan and where its items stand."""
    return answers.plan(*_plans(call).get(id))


@router.post(
    "/waste/plans/{id}/execute",
    permission="plan:execute",
    status=202,
    idempotent=True,
    errors=[
        PlanNotApproved, PlanExpired, PlanDrift, PlanAlreadyExecuted, PolicyDenied,
        TierInsufficient,
    ],
)  # fmt: skip
def execute_plan(call: CurrentCall, id: PathId) -> schemas.ExecutionStarted:
    """Carry out an approved plan; anything that has changed since is refused."""
    started = _plans(call).execute(id, call.principal.user_id, run_id=call.effect_key)
    return schemas.ExecutionStarted(plan_id=id, execution_id=str(started.execution_id))


@router.post(
    "/waste/plans/{id}/undo",
    permission="plan:execute",
    status=202,
    idempotent=True,
    errors=[UndoExpired, NotReversible, PlanExecuting],
)
def undo_plan(
    call: CurrentCall, id: PathId, body: schemas.UndoStart | None = None
) -> schemas.UndoStarted:
    """Undo what was done, within 72 hours."""
    items = None if body is None else body.item_ids
    started = _plans(call).undo(id, items, call.principal.user_id, run_id=call.effect_key)
    return schemas.UndoStarted(plan_id=id, execution_id=str(started.run_id))


@router.post(
    "/waste/plans/{id}/cancel",
    permission="plan:create",
    errors=[PlanExecuting, PlanAlreadyExecuted],
)
def cancel_plan(call: CurrentCall, id: PathId) -> schemas.PlanView:
    """Cancel a plan that waits; its findings are open again."""
    service = _plans(call)
    service.cancel(id, call.principal.user_id)
    return answers.plan(*service.get(id))
