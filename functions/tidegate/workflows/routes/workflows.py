"""Workflows: create, list, read, change, delete, validate."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query
from tidegate_kit.http import CurrentCall, Paging, PathId

from tidegate.workflows import answers
from tidegate.workflows.errors import DefinitionInvalid, VersionConflict
from tidegate.workflows.repository.workflows import WorkflowFilters
from tidegate.workflows.routes.context import Page, services
from tidegate.workflows.routes.router import router
from tidegate.workflows.schemas import (
    Deleted,
    ValidateRequest,
    Validation,
    WorkflowChange,
    WorkflowCreate,
    WorkflowList,
    WorkflowModel,
)


@router.post(
    "/workflows",
    permission="workflow:create",
    status=201,
    rate="W",
    idempotent=True,
    response_model=WorkflowModel,
    errors=[DefinitionInvalid],
)
def create_workflow(body: WorkflowCreate, call: CurrentCall) -> Any:
    """Save a workflow as its first version. Problems of an inactive one come as warnings."""
    service = services(call)
    made = service.workflows.create(answers.draft_of(body), workflow_id=answers.stable_id(call))
    return answers.workflow_model(made)


@router.get("/workflows", permission="workflow:read", rate="W", response_model=WorkflowList)
def list_workflows(
    call: CurrentCall,
    params: Page,
    is_active: Annotated[bool | None, Query()] = None,
    search: Annotated[str | None, Query(max_length=2000)] = None,
) -> Any:
    """The tenant's workflows, newest first; `search` looks into name and description."""
    filters = WorkflowFilters(is_active, search or None)
    paging = Paging(call, params, vars(filters))
    rows, total, next_key = services(call).repositories.workflows.page(
        filters, paging.skip, paging.page_size, paging.start
    )
    return WorkflowList(
        workflows=[answers.workflow_row(row) for row in rows], **paging.fields(total, next_key)
    )


@router.post("/workflows/validate", permission="workflow:read", rate="W", response_model=Validation)
def validate_workflow(body: ValidateRequest, call: CurrentCall) -> Any:
    """Every problem of a definition at once; saves nothing."""
    return answers.validation(services(call).definitions.report(body.definition, None))


@router.get(
    "/workflows/{workflow_id}",
    permission="workflow:read",
    rate="W",
    response_model=WorkflowModel,
)
def get_workflow(workflow_id: PathId, call: CurrentCall) -> Any:
    """A workflow with its counters."""
    return answers.workflow_model(services(call).workflows.get(workflow_id), with_stats=True)


@router.put(
    "/workflows/{workflow_id}",
    permission="workflow:update",
    rate="W",
    response_model=WorkflowModel,
    errors=[VersionConflict, DefinitionInvalid],
)
def put_workflow(workflow_id: PathId, body: WorkflowChange, call: CurrentCall) -> Any:
    """Change the keys sent; a definition becomes a new immutable version."""
    return answers.workflow_model(
        services(call).workflows.change(workflow_id, answers.change_of(body))
    )


@router.delete(
    "/workflows/{workflow_id}",
    permission="workflow:delete",
    rate="W",
    response_model=Deleted,
    errors=[VersionConflict],
)
def delete_workflow(workflow_id: PathId, call: CurrentCall) -> Any:
    """Delete a workflow with its schedule and hooks; its executions stay and run to their end."""
    services(call).workflows.delete(workflow_id)
    return Deleted(id=workflow_id)
