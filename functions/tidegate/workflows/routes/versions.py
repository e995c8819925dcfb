"""Versions of a workflow: list, read, compare, roll back."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Path, Query
from tidegate_kit.http import CurrentCall, Paging, PathId

from tidegate.workflows import answers
from tidegate.workflows.errors import DefinitionInvalid, VersionConflict
from tidegate.workflows.routes.context import Page, services
from tidegate.workflows.routes.router import router
from tidegate.workflows.schemas import (
    Difference,
    Rollback,
    VersionDetail,
    VersionList,
    WorkflowModel,
)
from tidegate.workflows.service.diff import diff

Number = Annotated[int, Path(ge=1, lt=10**8)]
QueryNumber = Annotated[int, Query(ge=1, lt=10**8)]


@router.get(
    "/workflows/{workflow_id}/versions",
    permission="workflow:read",
    rate="W",
    response_model=VersionList,
)
def list_versions(workflow_id: PathId, call: CurrentCall, params: Page) -> Any:
    """Every version, newest first."""
    rows = services(call).workflows.versions(workflow_id)
    paging = Paging(call, params, {"workflow_id": workflow_id})
    page, fields = paging.slice(rows, key=lambda row: str(row.version))
    return VersionList(versions=[answers.version_row(row) for row in page], **fields)


@router.get(
    "/workflows/{workflow_id}/versions/{version}",
    permission="workflow:read",
    rate="W",
    response_model=VersionDetail,
)
def get_version(workflow_id: PathId, version: Number, call: CurrentCall) -> Any:
    """One version with its definition."""
    return answers.version(*services(call).workflows.version(workflow_id, version))


@router.get(
    "/workflows/{workflow_id}/diff",
    permission="workflow:read",
    rate="W",
    response_model=Difference,
)
def diff_versions(
    workflow_id: PathId,
    call: CurrentCall,
    from_: Annotated[int, Query(alias="from", ge=1, lt=10**8)],
    to: QueryNumber,
) -> Any:
    """What differs between two versions."""
    service = services(call).workflows
    _, old = service.version(workflow_id, from_)
    _, new = service.version(workflow_id, to)
    return Difference(from_=from_, to=to, **diff(old, new))


@router.post(
    "/workflows/{workflow_id}/rollback",
    permission="workflow:update",
    rate="W",
    idempotent=True,
    response_model=WorkflowModel,
    errors=[VersionConflict, DefinitionInvalid],
)
def rollback_workflow(workflow_id: PathId, body: Rollback, call: CurrentCall) -> Any:
    """Make a new version that equals an old one."""
    return answers.workflow_model(services(call).workflows.rollback(workflow_id, body.version))
