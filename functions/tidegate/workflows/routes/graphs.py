"""What a workflow looks like: diagram, compiled machine, dry run, export and import."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import Query, Response
from tidegate_kit.http import CurrentCall, PathId

from tidegate.workflows import answers, execution_answers
from tidegate.workflows.compiler import mermaid, svg
from tidegate.workflows.errors import DefinitionInvalid, ImportInvalid, MissingInput
from tidegate.workflows.rehearsal_schemas import DryRunRequest, DryRunResult
from tidegate.workflows.routes.context import services
from tidegate.workflows.routes.router import router
from tidegate.workflows.schemas import (
    Exported,
    ImportedWorkflow,
    ImportRequest,
)

_PICTURES: dict[int, Any] = {
    200: {
        "content": {
            "text/plain": {"schema": {"type": "string"}},
            "image/svg+xml": {"schema": {"type": "string"}},
        }
    }
}
_MACHINE: dict[int, Any] = {200: {"content": {"application/json": {"schema": {"type": "object"}}}}}


@router.get(
    "/workflows/{workflow_id}/diagram",
    permission="workflow:read",
    rate="W",
    response_class=Response,
    responses=_PICTURES,
)
def workflow_diagram(
    workflow_id: PathId,
    call: CurrentCall,
    format: Annotated[Literal["mermaid", "svg"], Query()] = "mermaid",
    execution_id: Annotated[str | None, Query(max_length=64)] = None,
) -> Response:
    """The graph as Mermaid text or SVG; with an execution, its steps' states in colour."""
    graph, status = services(call).pictures.of(workflow_id, execution_id)
    if format == "svg":
        return Response(svg(graph, status), media_type="image/svg+xml")
    return Response(mermaid(graph, status), media_type="text/plain")


@router.get(
    "/workflows/{workflow_id}/asl",
    permission="workflow:read",
    rate="W",
    response_class=Response,
    responses=_MACHINE,
    errors=[DefinitionInvalid],
)
def workflow_asl(workflow_id: PathId, call: CurrentCall) -> Response:
    """The state machine that the current version compiles to."""
    text = services(call).pictures.machine_text(workflow_id)
    return Response(text, media_type="application/json")


@router.post(
    "/workflows/{workflow_id}/dry-run",
    permission="workflow:execute",
    rate="W",
    response_model=DryRunResult,
    errors=[DefinitionInvalid, MissingInput],
)
def dry_run_workflow(workflow_id: PathId, body: DryRunRequest, call: CurrentCall) -> Any:
    """Rehearse with mocks or typed samples; nothing outside is called, nothing is stored."""
    rehearsed = services(call).rehearsals.run(
        workflow_id, body.input_data, body.definition, answers.mocks_of(body)
    )
    return execution_answers.dry_run(rehearsed, call.now)


@router.get(
    "/workflows/{workflow_id}/export",
    permission="workflow:read",
    rate="W",
    response_model=Exported,
)
def export_workflow(workflow_id: PathId, call: CurrentCall) -> Any:
    """The workflow as a file that an import takes without loss."""
    return answers.exported(services(call).workflows.get(workflow_id))


@router.post(
    "/workflows/import",
    permission="workflow:create",
    status=201,
    rate="W",
    idempotent=True,
    response_model=ImportedWorkflow,
    errors=[ImportInvalid],
)
def import_workflow(
    body: ImportRequest,
    call: CurrentCall,
    format: Annotated[Literal["tidegate", "n8n"], Query()] = "tidegate",
) -> Any:
    """Make a workflow of a file; what has no equivalent is reported, and keeps it inactive."""
    made, report = services(call).imports.run(
        format, body.content, body.name, workflow_id=answers.stable_id(call)
    )
    return answers.imported(made, report)
