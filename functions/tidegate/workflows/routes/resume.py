"""Resuming executions."""

from __future__ import annotations

from typing import Any

from fastapi import Response
from tidegate_kit.errors import PolicyDenied
from tidegate_kit.http import CurrentCall, PathId

from tidegate.workflows import answers
from tidegate.workflows.errors import ConfirmationRequired, NotResumable
from tidegate.workflows.routes.context import services
from tidegate.workflows.routes.router import router
from tidegate.workflows.schemas import Resumed, ResumeRequest


@router.post(
    "/workflows/executions/{execution_id}/resume",
    permission="workflow:execute",
    status=202,
    rate="W",
    idempotent=True,
    response_model=Resumed,
    errors=[PolicyDenied, NotResumable, ConfirmationRequired],
)
def resume_execution(
    execution_id: PathId, body: ResumeRequest, call: CurrentCall, response: Response
) -> Any:
    """Run again from where it stopped, reusing what is unchanged; effects ask first (WF-12)."""
    start = None if body.plan_only else answers.resume_start(call)
    done = services(call).resumes.resume(
        execution_id, body.workflow_version, body.confirm_rerun or [], start
    )
    if done.execution is None:
        response.status_code = 200
    return answers.resumed(execution_id, done)
