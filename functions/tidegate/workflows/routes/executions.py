"""Executions: start, list, read, cancel."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query, Response
from tidegate_kit.errors import PolicyDenied
from tidegate_kit.http import CurrentCall, Paging, PathId
from tidegate_kit.http.schema import Instant

from tidegate.workflows import answers, execution_answers
from tidegate.workflows.domain import ExecutionStatus
from tidegate.workflows.errors import (
    ConcurrencyLimit,
    ExecutionFinished,
    MissingInput,
    WorkflowExecutionFailed,
    WorkflowInactive,
)
from tidegate.workflows.repository.executions import ExecutionFilters
from tidegate.workflows.routes.context import Page, services
from tidegate.workflows.routes.router import router
from tidegate.workflows.schemas import ExecuteRequest, ExecutionList, ExecutionModel, Started
from tidegate.workflows.wiring import check_webhook_url

Status = Annotated[ExecutionStatus | None, Query()]
Moment = Annotated[Instant | None, Query()]
From = Annotated[Instant | None, Query(alias="from")]
WorkflowId = Annotated[str | None, Query(max_length=64)]


@router.post(
    "/workflows/{workflow_id}/execute",
    permission="workflow:execute",
    status=202,
    rate="W",
    idempotent=True,
    response_model=Started | ExecutionModel,
    errors=[
        PolicyDenied,
        WorkflowInactive,
        ConcurrencyLimit,
        MissingInput,
        WorkflowExecutionFailed,
    ],
)
def execute_workflow(
    workflow_id: PathId, body: ExecuteRequest, call: CurrentCall, response: Response
) -> Any:
    """Start an execution; `sync` waits up to 25 s for its end and answers 200 (WF-10)."""
    check_webhook_url(body.webhook_url)
    service = services(call)
    execution = service.executions.begin(answers.start_of(workflow_id, body, call))
    if body.execution_mode == "async":
        return execution_answers.started(execution, service.repositories.blobs)
    ended = service.executions.wait(execution.id)
    if not ended.ended:
        return execution_answers.started(ended, service.repositories.blobs)
    execution_answers.must_be_completed(ended)
    response.status_code = 200
    return execution_answers.execution(ended, service.repositories)


@router.get(
    "/workflows/{workflow_id}/executions",
    permission="workflow:read",
    rate="W",
    response_model=ExecutionList,
)
def list_workflow_executions(
    workflow_id: PathId,
    call: CurrentCall,
    params: Page,
    status: Status = None,
    from_: From = None,
    to: Moment = None,
) -> Any:
    """The executions of one workflow, newest first."""
    filters = ExecutionFilters(workflow_id, status, from_, to)
    service = services(call)
    service.executions.known(workflow_id)
    return _listed(call, params, filters)


@router.get(
    "/workflows/executions",
    permission="workflow:read",
    rate="W",
    response_model=ExecutionList,
)
def list_executions(
    call: CurrentCall,
    params: Page,
    status: Status = None,
    from_: From = None,
    to: Moment = None,
    workflow_id: WorkflowId = None,
) -> Any:
    """The tenant's executions, newest first."""
    return _listed(call, params, ExecutionFilters(workflow_id, status, from_, to))


def _listed(call: CurrentCall, params: Page, filters: ExecutionFilters) -> ExecutionList:
    paging = Paging(call, params, vars(filters))
    stored = services(call).repositories
    rows, total, next_key = stored.executions.page(
        filters, paging.skip, paging.page_size, paging.start
    )
    listed = [execution_answers.row(row, stored.blobs) for row in rows]
    return ExecutionList(executions=listed, **paging.fields(total, next_key))


@router.get(
    "/workflows/executions/{execution_id}",
    permission="workflow:read",
    rate="W",
    response_model=ExecutionModel,
)
def get_execution(execution_id: PathId, call: CurrentCall) -> Any:
    """An execution with its steps."""
    stored = services(call).repositories
    return execution_answers.execution(stored.executions.get(execution_id), stored)


@router.post(
    "/workflows/executions/{execution_id}/cancel",
    permission="workflow:execute",
    rate="W",
    response_model=ExecutionModel,
    errors=[ExecutionFinished],
)
def cancel_execution(execution_id: PathId, call: CurrentCall) -> Any:
    """Cancel an execution that has not ended; what it waits for is given up."""
    service = services(call)
    cancelled = service.executions.cancel(execution_id)
    return execution_answers.execution(cancelled, service.repositories)
