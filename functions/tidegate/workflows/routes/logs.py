"""The logs of executions."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query
from tidegate_kit.http import CurrentCall, Paging, PathId
from tidegate_kit.http.schema import Instant

from tidegate.workflows import execution_answers
from tidegate.workflows.domain import LogLevel
from tidegate.workflows.repository.logs import LogFilters
from tidegate.workflows.routes.context import Page, services
from tidegate.workflows.routes.router import router
from tidegate.workflows.schemas import LogList, LogModel

Id = Annotated[str | None, Query(max_length=64)]
StepId = Annotated[str | None, Query(max_length=300)]
Level = Annotated[LogLevel | None, Query()]
From = Annotated[Instant | None, Query(alias="from")]
To = Annotated[Instant | None, Query()]
Search = Annotated[str | None, Query(max_length=2000)]


@router.get("/logs", permission="log:read", response_model=LogList)
def list_logs(
    call: CurrentCall,
    params: Page,
    workflow_id: Id = None,
    execution_id: Id = None,
    step_id: StepId = None,
    level: Level = None,
    from_: From = None,
    to: To = None,
    q: Search = None,
) -> Any:
    """The tenant's log lines, newest first; `q` looks into the message."""
    filters = LogFilters(workflow_id, execution_id, step_id, level, from_, to, q)
    return _listed(call, params, filters)


@router.get("/logs/executions/{execution_id}", permission="log:read", response_model=LogList)
def list_execution_logs(
    execution_id: PathId,
    call: CurrentCall,
    params: Page,
    step_id: StepId = None,
    level: Level = None,
    from_: From = None,
    to: To = None,
    q: Search = None,
) -> Any:
    """The log of one execution, newest first."""
    execution = services(call).repositories.executions.get(execution_id)
    filters = LogFilters(None, execution_id, step_id, level, from_ or execution.started_at, to, q)
    return _listed(call, params, filters)


def _listed(call: CurrentCall, params: Page, filters: LogFilters) -> LogList:
    paging = Paging(call, params, vars(filters))
    rows, total, next_key = services(call).repositories.logs.page(
        filters, paging.skip, paging.page_size, paging.start
    )
    return LogList(
        logs=[execution_answers.log(row) for row in rows], **paging.fields(total, next_key)
    )


@router.get("/logs/{log_id}", permission="log:read", response_model=LogModel)
def get_log(log_id: PathId, call: CurrentCall) -> Any:
    """One line."""
    return execution_answers.log(services(call).repositories.logs.get(log_id))
