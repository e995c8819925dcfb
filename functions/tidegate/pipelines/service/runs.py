"""Starting, cancelling and scheduling pipelines of one tenant."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from tidegate_kit import cron
from tidegate_kit.clients import platform_client
from tidegate_kit.clock import Clock
from tidegate_kit.errors import Detail, NotFound, ServiceUnavailable, Unprocessable
from tidegate_kit.observability import logger

from tidegate.pipelines import schedules
from tidegate.pipelines.errors import ExecutionFinished, Superseded
from tidegate.pipelines.executions import (
    PIPELINES,
    Execution,
    Pipeline,
    PipelineName,
    Schedule,
    Trigger,
    new_execution,
)
from tidegate.pipelines.repository import Executions
from tidegate.pipelines.service import parameters

Launch = Callable[[Execution], None]
Stop = Callable[[str], None]
Permit = Callable[[PipelineName], None]
_LOST_AGAIN = 8


class Runs:
    """The pipelines of one tenant. `launch` starts the state machine, `stop` ends it; `permit`
    raises PolicyDenied unless policies let the pipeline run (GOV-1)."""

    def __init__(
        self,
        tenant_id: str,
        store: Executions,
        launch: Launch,
        stop: Stop,
        permit: Permit,
        clock: Clock,
    ) -> None:
        self._tenant_id = tenant_id
        self._store = store
        self._launch = launch
        self._stop = stop
        self._permit = permit
        self._clock = clock

    def start(
        self,
        name: PipelineName,
        execution_id: str,
        trigger: Trigger,
        given: Mapping[str, Any] | None = None,
    ) -> Execution:
        """Start an execution; the same id again gives the stored one and starts nothing twice.

        Raises PipelineRunning, PolicyDenied, Unprocessable, ServiceUnavailable.
        """
        now = self._clock()
        parameters.check(name, given or {}, now.date())
        # What is stored was permitted: a repetition is neither asked about nor recorded again.
        if self._store.get(execution_id) is None:
            self._permit(name)
        wanted = new_execution(execution_id, self._tenant_id, name, trigger, given or {}, now)
        stored = self._store.begin(wanted, now)
        self.launch(stored)
        return stored

    def launch(self, stored: Execution) -> None:
        """Start the machine of an execution that has none: its starter may have died (H1)."""
        if must_launch(stored):
            self._launch(stored)
            self._store.mark_launched(stored.id)

    def get(self, execution_id: str) -> Execution:
        """An execution. Raises NotFound."""
        found = self._store.get(execution_id)
        if found is None:
            raise NotFound
        return found

    def cancel(self, execution_id: str) -> Execution:
        """End an execution where it stands. Raises NotFound, ExecutionFinished."""
        for _ in range(_LOST_AGAIN):
            found = self.get(execution_id)
            if found.over:
                raise ExecutionFinished
            now = self._clock()
            try:
                ended = self._store.finish(found.stopped("cancelled", None, now), now)
            except Superseded:
                continue
            self._stop(execution_id)
            return ended
        raise ServiceUnavailable(log=f"execution {execution_id} keeps changing")

    def pipelines(self) -> list[tuple[Pipeline, Execution | None]]:
        """Every pipeline and its last execution."""
        return [self.pipeline(name) for name in PIPELINES]

    def pipeline(self, name: str) -> tuple[Pipeline, Execution | None]:
        """One pipeline and its last execution. Raises NotFound."""
        found = self._store.pipeline(known(name))
        last = None if found.last_id is None else self._store.get(found.last_id)
        return found, last

    def set_schedule(self, name: str, expression: str | None, enabled: bool | None) -> None:
        """Change a schedule. Raises NotFound, Unprocessable for a bad or too frequent one."""
        known_name = known(name)
        old = self._store.pipeline(known_name).schedule
        now = self._clock()
        new = Schedule(
            old.expression if expression is None else expression,
            old.enabled if enabled is None else enabled,
        )
        try:
            schedules.check(new.expression, now)
        except (cron.BadExpression, schedules.TooOften) as error:
            raise Unprocessable(details=[Detail("expression", str(error))]) from error
        at = schedules.next_run(new.expression, now) if new.enabled else None
        self._store.set_schedule(known_name, replace(new, next_at=at), now)

    def ensure_schedules(self) -> None:
        """Give every pipeline that has no schedule its default one. Idempotent."""
        now = self._clock()
        for name in PIPELINES:
            found = self._store.pipeline(name)
            if not found.stored:
                at = schedules.next_run(found.schedule.expression, now)
                schedule = replace(found.schedule, next_at=at)
                self._store.set_schedule(name, schedule, now, only_new=True)


def known(name: str) -> PipelineName:
    """A pipeline's name. Raises NotFound."""
    found = next((one for one in PIPELINES if one == name), None)
    if found is None:
        raise NotFound
    return found


def must_launch(stored: Execution) -> bool:
    """True for a running execution whose machine was not started yet, as far as is known."""
    return not stored.over and not stored.launched


def machine_launcher(machine_arn: str, region: str) -> Launch:
    """Starts the state machine; the execution is named after ours, so once is enough."""

    def launch(execution: Execution) -> None:
        given = {"tenant_id": execution.tenant_id, "execution_id": execution.id}
        try:
            platform_client("stepfunctions", region).start_execution(
                stateMachineArn=machine_arn, name=execution.id, input=json.dumps(given)
            )
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") != "ExecutionAlreadyExists":
                raise ServiceUnavailable(log=f"stepfunctions: {error}") from error
        except BotoCoreError as error:
            raise ServiceUnavailable(log=f"stepfunctions: {error}") from error

    return launch


def machine_stopper(machine_arn: str, region: str) -> Stop:
    """Stops the state machine. One that goes on finds its execution ended and ends too."""

    def stop(execution_id: str) -> None:
        arn = f"{machine_arn.replace(':stateMachine:', ':execution:')}:{execution_id}"
        try:
            platform_client("stepfunctions", region).stop_execution(executionArn=arn)
        except (ClientError, BotoCoreError) as error:
            logger.warning("a cancelled pipeline's machine ends by itself", cause=str(error))

    return stop
