"""A workflow's schedule."""

from __future__ import annotations

from typing import Any

from tidegate_kit.http import CurrentCall, PathId

from tidegate.workflows import answers
from tidegate.workflows.errors import ScheduleInvalid
from tidegate.workflows.routes.context import schedules, services
from tidegate.workflows.routes.router import router
from tidegate.workflows.schemas import Deleted, ScheduleModel, ScheduleRequest

_PATH = "/workflows/{workflow_id}/schedule"


@router.get(_PATH, permission="workflow:read", rate="W", response_model=ScheduleModel)
def get_schedule(workflow_id: PathId, call: CurrentCall) -> Any:
    """The schedule with its next runs; 404 where there is none."""
    service, triggers = schedules(call)
    stored = triggers.schedule(workflow_id)
    return answers.schedule(stored, service.next_runs(stored))


@router.put(
    _PATH,
    permission="workflow:update",
    rate="W",
    response_model=ScheduleModel,
    errors=[ScheduleInvalid],
)
def put_schedule(workflow_id: PathId, body: ScheduleRequest, call: CurrentCall) -> Any:
    """Set the schedule; the caller answers for what its runs do (WF-16)."""
    services(call).repositories.workflows.get(workflow_id)
    service, _ = schedules(call)
    stored = service.put(answers.schedule_of(workflow_id, body, call))
    return answers.schedule(stored, service.next_runs(stored))


@router.delete(_PATH, permission="workflow:update", rate="W", response_model=Deleted)
def delete_schedule(workflow_id: PathId, call: CurrentCall) -> Any:
    """Delete the schedule; what it has started goes on."""
    service, _ = schedules(call)
    service.delete(workflow_id)
    return Deleted(id=workflow_id)
