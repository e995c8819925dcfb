"""In-memory twin of the step ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from tidegate.workflows.domain import Execution, LogEntry, Step
from tidegate.workflows.repository.ledger import EffectState, Settled, View

from tests.fakes.workflow_stores import MemoryExecutions, Tables


@dataclass
class MemoryLedger:
    """The ledger of one tenant's executions."""

    tables: Tables
    stored: dict[tuple[str, str], Step] = field(default_factory=dict)
    gates: dict[tuple[str, str], str] = field(default_factory=dict)
    effects: dict[tuple[str, str], tuple[str, EffectState]] = field(default_factory=dict)

    def view(self, execution_id: str, step_ids: Sequence[str]) -> View:
        found = {one: self.stored.get((execution_id, one)) for one in step_ids}
        steps = {step_id: step for step_id, step in found.items() if step is not None}
        return View(self.tables.executions.get(execution_id), steps)

    def begin(self, execution: Execution, step: Step) -> None:
        self._expect_open(execution.id, step.step_id)
        self.stored[execution.id, step.step_id] = step

    def record(
        self,
        execution: Execution,
        step: Step,
        *,
        log: LogEntry | None = None,
        skipped: Sequence[Step] = (),
        parked: int = 0,
    ) -> None:
        self._expect_open(execution.id, step.step_id)
        if parked and not MemoryExecutions(self.tables).park(execution.id, parked):
            raise Settled
        self.stored[execution.id, step.step_id] = step
        for one in skipped:
            self.stored.setdefault((execution.id, one.step_id), one)
        if log is not None:
            self.tables.logs[log.id] = log

    def reuse(self, execution: Execution, steps: Sequence[Step]) -> None:
        for step in steps:
            self.stored[execution.id, step.step_id] = replace(step, execution_id=execution.id)

    def steps(self, execution_id: str, prefix: str = "") -> list[Step]:
        found = [
            step
            for (owner, step_id), step in self.stored.items()
            if owner == execution_id and step_id.startswith(prefix)
        ]
        return sorted(found, key=lambda step: (step.started_at, step.order, step.step_id))

    def cancel_open(self, execution: Execution, now: datetime) -> list[Step]:
        stopped = [step for step in self.steps(execution.id) if not step.ended]
        for step in stopped:
            cancelled = replace(step, status="cancelled", completed_at=now)
            self.stored[execution.id, step.step_id] = cancelled
        return stopped

    def keep_gate(self, execution: Execution, gate: str, token: str) -> None:
        self.gates[execution.id, gate] = token

    def gate(self, execution_id: str, gate: str) -> str | None:
        return self.gates.get((execution_id, gate))

    def effect_begin(self, execution: Execution, step_id: str, attempt: str) -> EffectState:
        claimed, state = self.effects.setdefault(
            (execution.id, step_id), (attempt, EffectState("begun"))
        )
        return EffectState("new") if claimed == attempt else state

    def effect_done(self, execution: Execution, step_id: str, answer: Any) -> None:
        claimed, _ = self.effects[execution.id, step_id]
        self.effects[execution.id, step_id] = (claimed, EffectState("done", answer))

    def effect_clear(self, execution_id: str, step_id: str) -> None:
        self.effects.pop((execution_id, step_id), None)

    def _expect_open(self, execution_id: str, step_id: str) -> None:
        known = self.stored.get((execution_id, step_id))
        if known is not None and known.ended:
            raise Settled
