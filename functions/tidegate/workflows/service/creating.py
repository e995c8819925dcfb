"""Storing executions: what a start needs before anything is launched."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tidegate_kit.clock import Clock

from tidegate.workflows.domain import Execution, TriggerKind, Workflow
from tidegate.workflows.errors import (
    DefinitionInvalid,
    InputInvalid,
    MissingInput,
    WorkflowInactive,
)
from tidegate.workflows.repository.blobs import SMALL_OCTETS, Blobs
from tidegate.workflows.repository.executions import Executions, OnLimit
from tidegate.workflows.repository.ledger import Ledger
from tidegate.workflows.repository.workflows import Workflows
from tidegate.workflows.service.definitions import Definitions, as_issue
from tidegate.workflows.service.outcome import place_of_execution
from tidegate.workflows.validation import prepare_input


@dataclass(frozen=True)
class Start:
    """A wish to run a workflow. `id` names the execution: the same id again is the same one."""

    id: str
    workflow_id: str
    input_data: Mapping[str, Any]
    principal: str
    trigger: TriggerKind = "api"
    trigger_data: Mapping[str, Any] | None = None
    version: int | None = None
    webhook_url: str | None = None
    request_id: str | None = None
    on_limit: OnLimit | None = None
    only_when_idle: bool = False
    depth: int = 0
    parent: str | None = None
    resumed_from: str | None = None
    machine_execution_arn: str | None = None


@dataclass(frozen=True)
class Stores:
    """What executions are kept in."""

    workflows: Workflows
    executions: Executions
    ledger: Ledger
    blobs: Blobs


# Raises PolicyDenied unless policies let the workflow run for the wish's principal (GOV-1).
Permit = Callable[[Start, Workflow], None]


class ExecutionMaker:
    """Stores executions of one tenant; the table's stream launches what is stored."""

    def __init__(
        self, stores: Stores, definitions: Definitions, permit: Permit, clock: Clock
    ) -> None:
        self._stores = stores
        self._definitions = definitions
        self._permit = permit
        self._clock = clock

    def create(self, wish: Start, workflow: Workflow) -> Execution | None:
        """Store an execution, running or queued; None where it was to run only when idle.

        Raises NotFound, WorkflowInactive, MissingInput, InputInvalid, DefinitionInvalid,
        PolicyDenied, ConcurrencyLimit, NotResumable.
        """
        if not workflow.is_active:
            raise WorkflowInactive
        number = wish.version or workflow.version
        data = self._checked_input(workflow.id, number, wish.input_data)
        # What is stored was permitted: a repetition is neither asked about nor recorded again.
        if self._stores.executions.find(wish.id) is None:
            self._permit(wish, workflow)
        place = place_of_execution(wish.id)
        blobs = self._stores.blobs
        trigger_data = dict(wish.trigger_data or {"type": wish.trigger})
        execution = Execution(
            id=wish.id,
            workflow_id=workflow.id,
            workflow_version=number,
            status="running",
            trigger=wish.trigger,
            principal=wish.principal,
            started_at=self._clock(),
            input=blobs.put(place, data, inline=SMALL_OCTETS),
            trigger_data=blobs.put(place, trigger_data, inline=SMALL_OCTETS),
            timeout_seconds=workflow.settings.timeout_seconds,
            webhook_url=wish.webhook_url,
            request_id=wish.request_id,
            depth=wish.depth,
            parent=wish.parent,
            resumed_from=wish.resumed_from,
            machine_execution_arn=wish.machine_execution_arn,
        )
        return self._stores.executions.create(
            execution,
            workflow.settings.max_concurrency,
            wish.on_limit or workflow.settings.on_limit,
            only_when_idle=wish.only_when_idle,
        )

    def _checked_input(
        self, workflow_id: str, number: int, given: Mapping[str, Any]
    ) -> dict[str, Any]:
        loaded = self._definitions.load(workflow_id, number)
        if loaded.parsed is None:
            raise DefinitionInvalid([as_issue(issue) for issue in loaded.version.issues])
        prepared = prepare_input(loaded.parsed, loaded.version.required_inputs, given)
        if prepared.missing:
            raise MissingInput(prepared.missing)
        if prepared.invalid:
            raise InputInvalid([(problem.path, problem.message) for problem in prepared.invalid])
        return prepared.data
