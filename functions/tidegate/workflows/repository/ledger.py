"""The step ledger: what each step of an execution did, written once (E24)."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Literal, Protocol

from tidegate_kit.clock import epoch
from tidegate_kit.dynamo import (
    ConditionFailed,
    Transaction,
    batch_get,
    batch_write,
    store_errors,
)
from tidegate_kit.errors import ServiceUnavailable
from tidegate_kit.tenancy import TenantScope, key

from tidegate.workflows.domain import EXECUTION_KEPT, Execution, LogEntry, Step
from tidegate.workflows.models import EffectItem, ExecutionItem, GateItem, StepItem
from tidegate.workflows.repository.blobs import pack, unpack
from tidegate.workflows.repository.executions import DynamoExecutions, execution_of, problem_of
from tidegate.workflows.repository.keys import execution_sk, ledger_pk
from tidegate.workflows.repository.logs import log_item

_OPEN: Final = ("running", "waiting")
_ATTEMPTS: Final = 8
_SKIPS_IN_TRANSACTION: Final = 80
_KEYS_IN_BATCH: Final = 100


class Settled(Exception):
    """The step has a final status already, or its execution has ended; nothing was written."""


@dataclass(frozen=True)
class View:
    """What one step sees: its execution, and the records of the steps asked for."""

    execution: Execution | None
    steps: Mapping[str, Step]


@dataclass(frozen=True)
class EffectState:
    """`new`: nothing was tried. `done`: `answer` tells. `begun`: nobody knows how far it got."""

    state: Literal["new", "begun", "done"]
    answer: Any = None


class Ledger(Protocol):
    """The ledger of one tenant's executions."""

    def view(self, execution_id: str, step_ids: Sequence[str]) -> View:
        """An execution and some of its steps, strongly consistent."""

    def begin(self, execution: Execution, step: Step) -> None:
        """Record a try as running. Raises Settled."""

    def record(
        self,
        execution: Execution,
        step: Step,
        *,
        log: LogEntry | None = None,
        skipped: Sequence[Step] = (),
        parked: int = 0,
    ) -> None:
        """Write a step's status and, with a final one, the steps that it skips for certain.

        `parked`: +1 begins to wait, -1 goes on. All in one transaction. Raises Settled.
        """

    def reuse(self, execution: Execution, steps: Sequence[Step]) -> None:
        """Copy finished steps into an execution that has not been launched."""

    def steps(self, execution_id: str, prefix: str = "") -> list[Step]:
        """The steps whose ids begin so, by start."""

    def cancel_open(self, execution: Execution, now: datetime) -> list[Step]:
        """Set what still runs or waits to cancelled; gives what it was."""

    def keep_gate(self, execution: Execution, gate: str, token: str) -> None:
        """Remember the token of a gate."""

    def gate(self, execution_id: str, gate: str) -> str | None:
        """The token of a gate, if it has come."""

    def effect_begin(self, execution: Execution, step_id: str, attempt: str) -> EffectState:
        """Claim an effect before it happens."""

    def effect_done(self, execution: Execution, step_id: str, answer: Any) -> None:
        """The effect happened."""

    def effect_clear(self, execution_id: str, step_id: str) -> None:
        """The effect did certainly not happen; it may be tried again."""


class DynamoLedger:
    """Ledger on the table `workflows`."""

    def __init__(self, scope: TenantScope, pause: Callable[[float], None] = time.sleep) -> None:
        self._scope = scope
        self._pause = pause
        self._executions = DynamoExecutions(scope)

    # ---- read ------------------------------------------------------------------------------

    def view(self, execution_id: str, step_ids: Sequence[str]) -> View:
        pk = ledger_pk(self._scope, execution_id)
        wanted = list(dict.fromkeys(step_ids))
        first = wanted[: _KEYS_IN_BATCH - 1]
        keys: list[tuple[Any, str, str]] = [
            (ExecutionItem, self._scope.pk, execution_sk(execution_id)),
            *((StepItem, pk, _step_sk(step_id)) for step_id in first),
        ]
        found: list[Any] = batch_get(keys)
        execution = found[0]
        items = found[1:]
        rest = wanted[_KEYS_IN_BATCH - 1 :]
        for start in range(0, len(rest), _KEYS_IN_BATCH):
            part = rest[start : start + _KEYS_IN_BATCH]
            items += batch_get([(StepItem, pk, _step_sk(step_id)) for step_id in part])
        steps = {item.step_id: step_of(item) for item in items if item is not None}
        return View(None if execution is None else execution_of(execution), steps)

    def steps(self, execution_id: str, prefix: str = "") -> list[Step]:
        with store_errors():
            items = list(
                StepItem.query(
                    ledger_pk(self._scope, execution_id),
                    StepItem.sk.startswith(f"STEP#{prefix}"),
                    consistent_read=True,
                )
            )
        found = [step_of(item) for item in items]
        return sorted(found, key=lambda step: (step.started_at, step.order, step.step_id))

    # ---- write -----------------------------------------------------------------------------

    def begin(self, execution: Execution, step: Step) -> None:
        item = self._item(execution, step)
        try:
            with store_errors():
                item.save(condition=_unsettled())
        except ConditionFailed:
            raise Settled from None

    def record(
        self,
        execution: Execution,
        step: Step,
        *,
        log: LogEntry | None = None,
        skipped: Sequence[Step] = (),
        parked: int = 0,
    ) -> None:
        for one in skipped[_SKIPS_IN_TRANSACTION:]:
            self._skip(execution, one)
        within = skipped[:_SKIPS_IN_TRANSACTION]
        for attempt in range(_ATTEMPTS):
            writes = Transaction()
            writes.save(self._item(execution, step), _unsettled(), name="step")
            for one in within:
                writes.save(self._item(execution, one), StepItem.pk.does_not_exist(), name="skip")
            if log is not None:
                writes.save(log_item(self._scope, log))
            if parked:
                at = step.completed_at or step.started_at
                self._executions.add_parked(writes, execution, parked, at)
            try:
                return writes.commit()
            except ConditionFailed as lost:
                if "step" in lost.names:
                    raise Settled from None
                if "skip" in lost.names:
                    for one in within:
                        self._skip(execution, one)
                    within = ()
                if lost.names & {"execution", "listing"}:
                    self._pause(random.uniform(0, 0.01 * 2**attempt))  # noqa: S311
                    execution = self._reread(execution)
        raise ServiceUnavailable(log=f"step {step.step_id} could not be counted")

    def _reread(self, execution: Execution) -> Execution:
        fresh = self._executions.find(execution.id)
        if fresh is None or fresh.ended:
            raise Settled
        return fresh

    def _skip(self, execution: Execution, step: Step) -> None:
        try:
            with store_errors():
                self._item(execution, step).save(condition=StepItem.pk.does_not_exist())
        except ConditionFailed:
            return  # recorded by an earlier delivery

    def reuse(self, execution: Execution, steps: Sequence[Step]) -> None:
        batch_write([self._item(execution, step) for step in steps])

    def cancel_open(self, execution: Execution, now: datetime) -> list[Step]:
        stopped = [step for step in self.steps(execution.id) if not step.ended]
        for step in stopped:
            item = self._item(execution, replace(step, status="cancelled", completed_at=now))
            try:
                with store_errors():
                    item.save(condition=StepItem.status.is_in(*_OPEN))
            except ConditionFailed:
                continue  # it ended in the same moment, and stays as it ended
        return stopped

    def _item(self, execution: Execution, step: Step) -> StepItem:
        return StepItem(
            ledger_pk(self._scope, execution.id),
            _step_sk(step.step_id),
            execution_id=execution.id,
            step_id=step.step_id,
            node_id=step.node_id,
            type=step.type,
            status=step.status,
            started_at=step.started_at,
            completed_at=step.completed_at,
            attempts=step.attempts,
            route=step.route,
            output=pack(step.output),
            items=pack(step.items),
            error=None if step.error is None else step.error.as_dict(),
            reused=step.reused,
            content_hash=step.content_hash,
            task_token=step.task_token,
            waits_until=step.waits_until,
            approval_id=step.approval_id,
            child_id=step.child_id,
            order=list(step.order),
            expires=epoch(execution.started_at + EXECUTION_KEPT),
            created_at=step.started_at,
            updated_at=step.completed_at or step.started_at,
        )

    # ---- gates and effects -----------------------------------------------------------------

    def keep_gate(self, execution: Execution, gate: str, token: str) -> None:
        at = execution.started_at
        with store_errors():
            GateItem(
                ledger_pk(self._scope, execution.id),
                key("GATE", gate),
                task_token=token,
                expires=epoch(at + EXECUTION_KEPT),
                created_at=at,
                updated_at=at,
            ).save()

    def gate(self, execution_id: str, gate: str) -> str | None:
        with store_errors():
            try:
                return str(
                    GateItem.get(
                        ledger_pk(self._scope, execution_id), key("GATE", gate),
                        consistent_read=True,
                    ).task_token
                )  # fmt: skip
            except GateItem.DoesNotExist:
                return None

    def effect_begin(self, execution: Execution, step_id: str, attempt: str) -> EffectState:
        at = execution.started_at
        item = EffectItem(
            ledger_pk(self._scope, execution.id),
            key("EFFECT", step_id),
            state="begun",
            attempt=attempt,
            expires=epoch(at + EXECUTION_KEPT),
            created_at=at,
            updated_at=at,
        )
        try:
            with store_errors():
                item.save(condition=EffectItem.pk.does_not_exist())
            return EffectState("new")
        except ConditionFailed:
            known = self._effect(execution.id, step_id)
        if known is None or known.attempt == attempt:
            # Our own claim, whose answer was lost on the way: nothing has been done yet.
            return EffectState("new")
        if known.state == "done":
            return EffectState("done", known.answer)
        return EffectState("begun")

    def _effect(self, execution_id: str, step_id: str) -> EffectItem | None:
        with store_errors():
            try:
                return EffectItem.get(
                    ledger_pk(self._scope, execution_id), key("EFFECT", step_id),
                    consistent_read=True,
                )  # fmt: skip
            except EffectItem.DoesNotExist:
                return None

    def effect_done(self, execution: Execution, step_id: str, answer: Any) -> None:
        item = EffectItem(ledger_pk(self._scope, execution.id), key("EFFECT", step_id))
        with store_errors():
            item.update([EffectItem.state.set("done"), EffectItem.answer.set(answer)])

    def effect_clear(self, execution_id: str, step_id: str) -> None:
        with store_errors():
            EffectItem(ledger_pk(self._scope, execution_id), key("EFFECT", step_id)).delete()


def _step_sk(step_id: str) -> str:
    return key("STEP", step_id)


def _unsettled() -> Any:
    return StepItem.pk.does_not_exist() | StepItem.status.is_in(*_OPEN)


def step_of(item: StepItem) -> Step:
    """The domain object of a stored step."""
    status: Any = item.status
    return Step(
        execution_id=item.execution_id,
        step_id=item.step_id,
        node_id=item.node_id,
        type=item.type,
        status=status,
        started_at=item.started_at,
        attempts=int(item.attempts),
        completed_at=item.completed_at,
        route=item.route,
        output=unpack(item.output),
        error=problem_of(item.error),
        reused=bool(item.reused),
        content_hash=item.content_hash,
        task_token=item.task_token,
        waits_until=item.waits_until,
        approval_id=item.approval_id,
        child_id=item.child_id,
        items=unpack(item.items),
        order=tuple(item.order or ()),
    )
