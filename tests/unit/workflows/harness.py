"""Runs a definition in the reference interpreter and, compiled, in the walker; compares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tidegate.workflows.compiler import Compiled, compile_definition
from tidegate.workflows.graph import Definition
from tidegate.workflows.interpreter import Run, interpret
from tidegate.workflows.validation import validate_definition

from tests.fakes.asl_walker import Walker
from tests.fakes.workflow_ledger import LedgerLambda


class Near(float):
    """A time that equals its neighbours: Wait states count in microseconds."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, float) and abs(float(self) - float(other)) < 1e-4

    __hash__ = None  # type: ignore[assignment]


IDS = {"tenant_id": "t", "execution_id": "e"}


def valid(raw: dict[str, Any]) -> Definition:
    """The definition, which must be valid."""
    report = validate_definition(raw)
    assert report.valid, [issue.as_dict() for issue in report.errors][:5]
    assert report.definition is not None
    return report.definition


@dataclass
class Both:
    """One definition run twice."""

    run: Run
    ledger: LedgerLambda
    walker: Walker
    compiled: Compiled
    ended: tuple[str, Any]

    def compiled_steps(self) -> dict[str, tuple[Any, ...]]:
        """Steps of the compiled run, comparable."""
        return {
            record.step_id: (
                record.type,
                record.status.value,
                record.attempts,
                record.output if record.status == "completed" else None,
                record.error.code if record.error and record.status == "failed" else None,
                Near(record.started_at),
                Near(record.completed_at or 0),
            )
            for record in self.ledger.records.values()
        }

    def reference_steps(self) -> dict[str, tuple[Any, ...]]:
        """Steps of the reference run, comparable."""
        return {
            step.step_id: (
                step.type,
                step.status.value,
                step.attempts,
                step.output if step.status == "completed" else None,
                step.error.code if step.error and step.status == "failed" else None,
                Near(step.started_at),
                Near(step.completed_at or 0),
            )
            for step in self.run.steps
        }


def run_both(raw: dict[str, Any], execute: Any, compiled: Compiled | None = None) -> Both:
    """The same behaviour through interpreter and machine."""
    definition = valid(raw)
    run = interpret(definition, {}, execute)
    compiled = compiled or compile_definition(definition)
    ledger = LedgerLambda(definition, compiled, execute)
    walker = Walker(compiled.machine, ledger)
    ledger.clock = lambda: walker.now
    ledger.later = walker.later
    ledger.answer = walker.send_task_success
    ledger.fail_token = walker.send_task_failure
    return Both(run, ledger, walker, compiled, walker.run(IDS))
