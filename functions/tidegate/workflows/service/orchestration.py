"""Workflows of the platform itself: made for a tenant at first use, run for its users."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tidegate_kit.errors import NotFound, ServiceUnavailable
from tidegate_kit.ids import id_from

from tidegate.workflows.domain import Execution, RunSettings, Workflow, content_hash
from tidegate.workflows.errors import WorkflowInactive
from tidegate.workflows.repository.workflows import Workflows
from tidegate.workflows.service.creating import Start
from tidegate.workflows.service.workflows import Draft, WorkflowService

# Copies of one workflow that users may have deleted or switched off before it takes another id.
_COPIES: Final = 32
_FIRST_VERSION: Final = 1


@dataclass(frozen=True)
class PlatformWorkflow:
    """A workflow of ours. `name` names it to people; `key` is part of its id."""

    key: str
    name: str
    description: str
    definition: Mapping[str, Any]


@dataclass(frozen=True)
class Run:
    """Who runs it with what. `id` names the execution: the same id again is the same one."""

    id: str
    principal: str
    input_data: Mapping[str, Any]
    request_id: str | None


class Orchestrator:
    """Starts the platform's workflows in one tenant.

    `store` stores an execution without launching it: the table's stream launches what is stored,
    so the caller needs no right on state machines.
    """

    def __init__(
        self,
        tenant_id: str,
        workflows: Workflows,
        service: WorkflowService,
        store: Callable[[Start, Workflow], Execution | None],
    ) -> None:
        self._tenant_id = tenant_id
        self._workflows = workflows
        self._service = service
        self._store = store

    def start(self, wanted: PlatformWorkflow, run: Run) -> Execution:
        """Store an execution of the workflow's first version, which never changes (WF-11)."""
        for number in range(_COPIES):
            workflow = self._copy(wanted, number)
            if workflow is None:
                continue
            wish = Start(
                id=run.id,
                workflow_id=workflow.id,
                input_data=run.input_data,
                principal=run.principal,
                trigger="orchestrator",
                trigger_data={"type": "orchestrator"},
                version=_FIRST_VERSION,
                request_id=run.request_id,
                on_limit="queue",
            )
            try:
                made = self._store(wish, workflow)
            except (NotFound, WorkflowInactive):
                continue  # deleted or switched off at this moment
            if made is not None:
                return made
        raise ServiceUnavailable(log=f"no copy of the workflow {wanted.key} can run")

    def _copy(self, wanted: PlatformWorkflow, number: int) -> Workflow | None:
        """The copy of that number, made if there is none; None if it cannot be used."""
        # The definition is part of the id, so a newer platform makes a workflow of its own.
        place = f"{wanted.key}/{content_hash(wanted.definition)}/{number}"
        workflow_id = id_from(f"platform/{self._tenant_id}/{place}")
        try:
            found = self._workflows.get(workflow_id)
        except NotFound:
            if self._workflows.versions(workflow_id):
                return None  # somebody deleted it; its versions stay (WF-11)
            return self._made(wanted, workflow_id)
        return found if found.is_active else None

    def _made(self, wanted: PlatformWorkflow, workflow_id: str) -> Workflow | None:
        settings = RunSettings(max_concurrency=100)
        draft = Draft(wanted.name, wanted.description, wanted.definition, True, settings)
        try:
            return self._service.create(draft, workflow_id=workflow_id).workflow
        except NotFound:
            return None  # made and deleted by others meanwhile
