"""Ends executions: once, with what still runs cancelled (E15)."""

from __future__ import annotations

from typing import Any

from tidegate_kit.clock import Clock
from tidegate_kit.ids import IdFactory

from tidegate.workflows.domain import Execution, ExecutionStatus, LogLevel, StepProblem
from tidegate.workflows.repository.blobs import SMALL_OCTETS, Blobs
from tidegate.workflows.repository.executions import Executions
from tidegate.workflows.repository.ledger import Ledger
from tidegate.workflows.service.records import log_entry

_LEVELS: dict[str, LogLevel] = {"completed": "info", "cancelled": "warning"}


class Outcomes:
    """Final statuses of one tenant's executions."""

    def __init__(
        self, executions: Executions, ledger: Ledger, blobs: Blobs, clock: Clock, ids: IdFactory
    ) -> None:
        self._executions = executions
        self._ledger = ledger
        self._blobs = blobs
        self._clock = clock
        self._ids = ids

    def complete(self, execution: Execution, output: dict[str, Any]) -> bool:
        """Ended well, with this output; True when this call did it."""
        blob = self._blobs.put(place_of_execution(execution.id), output, inline=SMALL_OCTETS)
        log = log_entry(self._ids, execution, self._clock(), "info", "The execution completed.")
        return self._executions.end(execution, "completed", self._clock(), output=blob, log=log)

    def stop(
        self, execution: Execution, status: ExecutionStatus, problem: StepProblem | None
    ) -> bool:
        """Ended otherwise: failed, cancelled or timed out; True when this call did it.

        What still ran is cancelled by every call, so a call that died in between loses nothing.
        """
        now = self._clock()
        text = f"The execution {_WORDS[status]}."
        if problem is not None:
            text = f"{text} {problem.code}: {problem.message}"
        level = _LEVELS.get(status, "error")
        step_id = None if problem is None else problem.step_id
        log = log_entry(self._ids, execution, now, level, text, step_id)
        done = self._executions.end(execution, status, now, error=problem, log=log)
        self._ledger.cancel_open(execution, now)
        return done


_WORDS = {"failed": "failed", "cancelled": "was cancelled", "timed_out": "timed out"}


def place_of_execution(execution_id: str) -> str:
    """Where an execution's large data lies."""
    return f"execution/{execution_id}"
