"""Makes log lines and step records; keeps them uniform."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tidegate_kit.ids import IdFactory

from tidegate.workflows.domain import Execution, LogEntry, LogLevel, Step

_MAX_MESSAGE = 2000


def log_entry(
    ids: IdFactory,
    execution: Execution,
    now: datetime,
    level: LogLevel,
    message: str,
    step_id: str | None = None,
    data: Mapping[str, Any] | None = None,
) -> LogEntry:
    """One line of an execution's log."""
    return LogEntry(
        id=ids(),
        timestamp=now,
        level=level,
        workflow_id=execution.workflow_id,
        execution_id=execution.id,
        message=message[:_MAX_MESSAGE],
        step_id=step_id,
        data=dict(data or {}),
        request_id=execution.request_id,
    )


def step_entry(ids: IdFactory, execution: Execution, step: Step) -> LogEntry:
    """The line about a step that completed or failed."""
    now = step.completed_at or step.started_at
    data = {
        "type": step.type,
        "attempts": step.attempts,
        "duration": (now - step.started_at).total_seconds(),
    }
    if step.error is None:
        text = f"Step {step.step_id} completed."
        return log_entry(ids, execution, now, "info", text, step.step_id, data)
    text = f"Step {step.step_id} failed. {step.error.code}: {step.error.message}"
    return log_entry(ids, execution, now, "error", text, step.step_id, data)
