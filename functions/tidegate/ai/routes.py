"""Routes of contract 2.13 under /ai."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from fastapi import Query
from tidegate_kit.http import CurrentCall, Router

from tidegate.ai import answers, errors, predict, schemas, wiring
from tidegate.ai.service.usage import GroupBy
from tidegate.lab.public import NoPromotedModel

router = Router("ai")
_INFER: Any = [
    errors.BudgetExceeded,
    errors.UnknownModel,
    errors.OutputInvalid,
    errors.ProviderRateLimited,
    errors.ProviderUnavailable,
]


@router.post("/ai/infer", permission="ai:route", rate="I", idempotent=True, errors=_INFER)
def infer(body: schemas.InferBody, call: CurrentCall) -> schemas.Inferred:
    """Ask a model under the budgets of the tenant and the caller."""
    request = answers.request_of(body)
    asked = wiring.inference(call.principal.tenant, call.principal.user_id, request)
    return answers.inferred(asked.answer(call.effect_key))


@router.post(
    "/ai/predict",
    permission="ai:predict",
    rate="I",
    idempotent=True,
    errors=[NoPromotedModel],
)
def predict_costs(body: schemas.PredictBody, call: CurrentCall) -> schemas.PredictionView:
    """Forecast with a model of the lab, or with an experiment's model in production."""
    caller = call.principal
    return predict.predicted(caller.tenant, body, caller.user_id, call.effect_key)


@router.get("/ai/models", permission="ai:route", rate="I")
def list_models(call: CurrentCall) -> schemas.ModelList:
    """Models and where they are to be had, in the order in which providers are asked."""
    return answers.models(wiring.catalogue(), wiring.known_providers())


@router.get("/ai/usage", permission="ai:route", rate="I")
def read_usage(
    call: CurrentCall,
    begin: Annotated[date | None, Query(alias="from", description="UTC day, included.")] = None,
    end: Annotated[date | None, Query(alias="to", description="UTC day, included.")] = None,
    group_by: GroupBy = "day",
) -> schemas.UsageAnswer:
    """Requests, cost and tokens; this month unless said otherwise."""
    first, last = answers.span(begin, end, call.now)
    return answers.usage(wiring.store_of(call.principal.tenant).usage(first, last), group_by)


@router.get("/ai/budgets", permission="ai:route", rate="I")
def read_budgets(call: CurrentCall) -> schemas.BudgetView:
    """The limits and what is used and reserved of them this month."""
    return answers.budget(wiring.budgets_of(call.principal.tenant_id), call.now)


@router.put("/ai/budgets", permission="budget:write", rate="I")
def change_budgets(body: schemas.BudgetBody, call: CurrentCall) -> schemas.BudgetView:
    """Set the limits; null takes one away. What is committed already stays."""
    store = wiring.budgets_of(call.principal.tenant_id)
    monthly, per_user = answers.limit(body.monthly_cost), answers.limit(body.per_user_monthly_cost)
    store.set_limits(monthly, per_user, call.now)
    return answers.budget(store, call.now)
