"""Routes of contract 2.14 under /pipelines."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends
from tidegate_kit.errors import NotFound, PolicyDenied
from tidegate_kit.http import CurrentCall, PageParams, Paging, PathId, Router
from tidegate_kit.ids import id_from, new_id

from tidegate.pipelines import answers, schemas, wiring
from tidegate.pipelines.budget import budget_store
from tidegate.pipelines.errors import ExecutionFinished, PipelineRunning
from tidegate.pipelines.service.runs import Runs, known

router = Router("pipelines")
_READ, _RUN = "pipeline:read", "pipeline:run"
Page = Annotated[PageParams, Depends()]


def _runs(call: CurrentCall) -> Runs:
    return wiring.runs_of(call.principal.tenant_id, lambda: call.now, call.principal)


@router.get("/pipelines", permission=_READ)
def list_pipelines(call: CurrentCall, params: Page) -> schemas.PipelineList:
    """The five pipelines with their schedules and last executions."""
    paging = Paging(call, params, {})
    rows, fields = paging.slice(_runs(call).pipelines(), lambda row: row[0].name)
    shown = [answers.pipeline(found, last) for found, last in rows]
    return schemas.PipelineList(pipelines=shown, **fields)


@router.get("/pipelines/budget", permission=_READ)
def read_api_budget(call: CurrentCall) -> schemas.BudgetView:
    """What paid AWS calls may cost a month, and have cost in this one."""
    return answers.budget(budget_store(call.principal.tenant_id), call.now)


@router.put("/pipelines/budget", permission=_RUN)
def change_api_budget(body: schemas.BudgetBody, call: CurrentCall) -> schemas.BudgetView:
    """Set the limit. What is committed already stays."""
    store = budget_store(call.principal.tenant_id)
    store.set_limits(answers.limit(body.aws_api_monthly), None, call.now)
    return answers.budget(store, call.now)


@router.get("/pipelines/executions/{id}", permission=_READ)
def read_pipeline_execution(call: CurrentCall, id: PathId) -> schemas.ExecutionView:
    """One execution with its stages."""
    return answers.execution(_runs(call).get(id))


@router.post("/pipelines/executions/{id}/cancel", permission=_RUN, errors=[ExecutionFinished])
def cancel_pipeline_execution(call: CurrentCall, id: PathId) -> schemas.ExecutionView:
    """End an execution where it stands; what it has done stays."""
    return answers.execution(_runs(call).cancel(id))


@router.get("/pipelines/{name}", permission=_READ, errors=[NotFound])
def read_pipeline(call: CurrentCall, name: str) -> schemas.PipelineView:
    """One pipeline."""
    return answers.pipeline(*_runs(call).pipeline(name))


@router.post(
    "/pipelines/{name}/run",
    permission=_RUN,
    status=202,
    idempotent=True,
    errors=[PipelineRunning, PolicyDenied, NotFound],
)
def run_pipeline(
    call: CurrentCall, name: str, body: schemas.RunBody | None = None
) -> schemas.Started:
    """Start a pipeline; one execution of each runs at a time."""
    execution_id = new_id() if call.effect_key is None else id_from(call.effect_key)
    given = {} if body is None else body.parameters
    started = _runs(call).start(known(name), execution_id, "api", given)
    return answers.started(started)


@router.get("/pipelines/{name}/executions", permission=_READ, errors=[NotFound])
def list_pipeline_executions(call: CurrentCall, params: Page, name: str) -> schemas.ExecutionList:
    """Executions of a pipeline, newest first; kept for 90 days."""
    paging = Paging(call, params, {"name": name})
    store = wiring.store_of(call.principal.tenant_id)
    rows, total, next_key = store.page(known(name), paging.skip, paging.page_size, paging.start)
    shown = [answers.execution(row) for row in rows]
    return schemas.ExecutionList(executions=shown, **paging.fields(total, next_key))


@router.put("/pipelines/{name}/schedule", permission=_RUN, errors=[NotFound])
def change_pipeline_schedule(
    body: schemas.ScheduleBody, call: CurrentCall, name: str
) -> schemas.PipelineView:
    """Change when a pipeline starts by itself: UTC, at most hourly."""
    runs = _runs(call)
    runs.set_schedule(name, body.expression, body.enabled)
    return answers.pipeline(*runs.pipeline(name))
