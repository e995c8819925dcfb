"""Starting, launching, cancelling and reconciling executions."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from tidegate_kit.clock import Clock
from tidegate_kit.errors import NotFound, ServiceUnavailable
from tidegate_kit.ids import IdFactory
from tidegate_kit.observability import logger

from tidegate.workflows.domain import Execution, StepProblem, Workflow
from tidegate.workflows.errors import ConcurrencyLimit, ExecutionFinished
from tidegate.workflows.service.creating import ExecutionMaker, Permit, Start, Stores
from tidegate.workflows.service.definitions import Definitions
from tidegate.workflows.service.machines import Machines, execution_arn
from tidegate.workflows.service.outcome import Outcomes
from tidegate.workflows.service.publish import Publisher

__all__ = ["SYNC_SECONDS", "ExecutionService", "Start", "Stores"]

SYNC_SECONDS: Final = 25.0  # WF-10
_QUEUE_BATCH: Final = 10
_LAUNCH_BOUND: Final = timedelta(minutes=5)  # a machine that is not there by then never will be
_TIMEOUT_GRACE: Final = timedelta(minutes=1)


class ExecutionService:
    """The executions of one tenant."""

    def __init__(
        self,
        tenant_id: str,
        stores: Stores,
        definitions: Definitions,
        publisher: Publisher,
        machines: Machines,
        outcomes: Outcomes,
        clock: Clock,
        ids: IdFactory,
        permit: Permit,
        prepare: Callable[[Execution], None] = lambda execution: None,
    ) -> None:
        """`permit` is asked before a new execution is stored, `prepare` is called before a resumed
        one is launched."""
        self._tenant_id = tenant_id
        self._stores = stores
        self._maker = ExecutionMaker(stores, definitions, permit, clock)
        self._publisher = publisher
        self._machines = machines
        self._outcomes = outcomes
        self._clock = clock
        self._ids = ids
        self._prepare = prepare

    # ---- start -----------------------------------------------------------------------------

    def start(self, wish: Start) -> Execution | None:
        """Store an execution and launch it unless it is queued.

        None where it was to run only when idle. Raises NotFound, WorkflowInactive, MissingInput,
        InputInvalid, DefinitionInvalid, PolicyDenied, ConcurrencyLimit, NotResumable.
        """
        workflow = self._stores.workflows.get(wish.workflow_id)
        made = self.create(wish, workflow)
        if made is not None:
            self.try_launch(made)
        return made

    def begin(self, wish: Start) -> Execution:
        """As `start`, for a start that does not ask for an idle workflow."""
        made = self.start(wish)
        if made is None:
            raise ConcurrencyLimit
        return made

    def known(self, workflow_id: str) -> None:
        """Raise NotFound unless there is, or was, such a workflow: its executions stay (WF-11)."""
        if not self._stores.workflows.versions(workflow_id):
            raise NotFound

    def create(self, wish: Start, workflow: Workflow) -> Execution | None:
        """Store an execution; see `start`."""
        return self._maker.create(wish, workflow)

    def try_launch(self, execution: Execution) -> None:
        """Launch at once where possible; the table's stream repeats it if this call dies."""
        try:
            self.launch(execution)
        except ServiceUnavailable as error:
            logger.warning("not launched at once", execution_id=execution.id, cause=error.log)

    def launch(self, execution: Execution) -> None:
        """Start the state machine of a running execution; once, however often it is called."""
        if execution.status == "queued" or execution.ended:
            return
        if execution.machine_execution_arn is not None:
            return
        version = self._publisher.publish(
            execution.workflow_id, execution.workflow_version, execution.timeout_seconds
        )
        if version.machine_version_arn is None:
            raise ServiceUnavailable(log="a published version has no machine")
        if execution.resumed_from is not None:
            self._prepare(execution)
        arn = self._machines.start(
            version.machine_version_arn,
            execution.id,
            {"tenant_id": self._tenant_id, "execution_id": execution.id},
        )
        self._stores.executions.launched(execution, arn, self._clock())

    def start_child(
        self,
        parent: Execution,
        child_id: str,
        workflow_id: str,
        version: int | None,
        input_data: Mapping[str, Any],
        wait: bool,
    ) -> tuple[str, str]:
        """Store a child execution; gives (machine version ARN, execution name).

        A child that is waited for is started by its parent's machine and never queued, because the
        parent holds a slot meanwhile. Raises as `start`.
        """
        wish = Start(
            id=child_id,
            workflow_id=workflow_id,
            input_data=input_data,
            principal=parent.principal,
            trigger="subworkflow",
            trigger_data={"type": "subworkflow", "execution_id": parent.id},
            version=version,
            request_id=parent.request_id,
            on_limit="ignore" if wait else None,
            depth=parent.depth + 1,
            parent=parent.id,
        )
        workflow = self._stores.workflows.get(workflow_id)
        number = version or workflow.version
        published = self._publisher.publish(workflow_id, number, workflow.settings.timeout_seconds)
        arn = published.machine_version_arn or ""
        if wait:
            wish = replace(wish, machine_execution_arn=execution_arn(arn, child_id))
        made = self.create(wish, workflow)
        if made is not None and not wait:
            self.try_launch(made)
        return arn, child_id

    # ---- after the start -------------------------------------------------------------------

    def wait(
        self,
        execution_id: str,
        *,
        seconds: float = SYNC_SECONDS,
        pause: Callable[[float], None] = time.sleep,
        timer: Callable[[], float] = time.monotonic,
    ) -> Execution:
        """The execution when it has ended, or as it is after so many seconds."""
        deadline = timer() + seconds
        delay = 0.05
        while True:
            execution = self._stores.executions.get(execution_id)
            left = deadline - timer()
            if execution.ended or left <= 0:
                return execution
            pause(min(delay, left))
            delay = min(delay * 1.3, 0.5)

    def cancel(self, execution_id: str) -> Execution:
        """Cancel an execution and its children. Raises NotFound, ExecutionFinished (E15)."""
        execution = self._stores.executions.get(execution_id)
        if execution.ended or not self._outcomes.stop(execution, "cancelled", None):
            raise ExecutionFinished
        self.halt(execution)
        return self._stores.executions.get(execution_id)

    def halt(self, execution: Execution) -> None:
        """Stop what still runs of an execution that has ended; harmless when repeated."""
        if execution.machine_execution_arn is not None:
            try:
                self._machines.stop(execution.machine_execution_arn, "Stopped")
            except ServiceUnavailable as error:
                logger.warning("machine not stopped yet", cause=error.log)
        for step in self._stores.ledger.steps(execution.id):
            if step.child_id is None:
                continue
            child = self._stores.executions.find(step.child_id)
            if child is None or child.ended or child.parent != execution.id:
                continue
            if self._outcomes.stop(child, "cancelled", None):
                self.halt(child)

    def release(self, workflow_id: str) -> int:
        """Start queued executions while slots are free; gives how many."""
        released = 0
        for execution_id in self._stores.executions.queued(workflow_id, _QUEUE_BATCH):
            execution = self._stores.executions.find(execution_id)
            if execution is None or execution.status != "queued":
                continue
            try:
                workflow = self._stores.workflows.get(workflow_id)
            except NotFound:
                gone = StepProblem("WORKFLOW_DELETED", "The workflow was deleted meanwhile.")
                self._outcomes.stop(execution, "failed", gone)
                continue
            limit = workflow.settings.max_concurrency
            if not self._stores.executions.promote(execution, limit, self._clock()):
                break
            released += 1
            self.try_launch(replace(execution, status="running"))
        return released

    # ---- reconcile -------------------------------------------------------------------------

    def reconcile(self, execution_id: str) -> bool:
        """End an execution whose machine has ended without saying so (E19); True if it did."""
        execution = self._stores.executions.find(execution_id)
        if execution is None or execution.ended:
            return False
        if execution.status == "queued":
            return self.release(execution.workflow_id) > 0
        now = self._clock()
        if execution.machine_execution_arn is None:
            self.try_launch(execution)
            return False
        run = self._machines.run(execution.machine_execution_arn)
        if run is None and now - execution.started_at < _LAUNCH_BOUND:
            return False
        return self._close(execution, "GONE" if run is None else run.status, now)

    def _close(self, execution: Execution, machine_status: str, now: datetime) -> bool:
        overdue = execution.started_at + timedelta(seconds=execution.timeout_seconds)
        late = now > overdue + _TIMEOUT_GRACE
        if machine_status == "RUNNING" and not late:
            return False
        if machine_status == "TIMED_OUT" or machine_status == "RUNNING":
            text = f"The execution took more than {execution.timeout_seconds} s."
            done = self._outcomes.stop(execution, "timed_out", StepProblem("TIMEOUT", text))
        else:
            text = "The execution was interrupted."
            problem = StepProblem("EXECUTION_INTERRUPTED", text)
            done = self._outcomes.stop(execution, "failed", problem)
        self.halt(execution)
        return done
