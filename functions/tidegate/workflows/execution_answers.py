"""Executions, steps and logs as they are answered."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Protocol

from tidegate.workflows.domain import Blob, Execution, LogEntry, Step
from tidegate.workflows.errors import WorkflowExecutionFailed
from tidegate.workflows.interpreter import DryRun
from tidegate.workflows.rehearsal_schemas import DryRunResult, WouldCall
from tidegate.workflows.repository.blobs import Blobs
from tidegate.workflows.repository.ledger import Ledger
from tidegate.workflows.schemas import (
    ErrorModel,
    ExecutionModel,
    ExecutionRow,
    LogModel,
    Started,
    StepErrorModel,
    StepModel,
)
from tidegate.workflows.service.outcome import place_of_execution


class Read(Protocol):
    """Where the parts of an execution are read from."""

    @property
    def ledger(self) -> Ledger:
        """The steps."""

    @property
    def blobs(self) -> Blobs:
        """The data."""


def started(execution: Execution, blobs: Blobs) -> Started:
    """The answer to a start."""
    return Started(
        execution_id=execution.id,
        workflow_id=execution.workflow_id,
        status=execution.status,
        started_at=execution.started_at,
        input_data=_data(execution, execution.input, blobs),
        workflow_version=execution.workflow_version,
    )


def must_be_completed(execution: Execution) -> None:
    """Raise WorkflowExecutionFailed unless the execution completed (WF-10)."""
    if execution.status == "completed":
        return
    problem = execution.error
    node = None if problem is None else problem.step_id
    text = "" if problem is None else f"{problem.code}: {problem.message}"
    raise WorkflowExecutionFailed(execution.id, execution.status, node, text)


def row(execution: Execution, blobs: Blobs) -> ExecutionRow:
    """An execution in a list."""
    return ExecutionRow(**_fields(execution, blobs))


def execution(execution: Execution, read: Read) -> ExecutionModel:
    """An execution with its steps."""
    steps = [step(one, read.blobs) for one in read.ledger.steps(execution.id)]
    return ExecutionModel(**_fields(execution, read.blobs), steps=steps)


def _fields(execution: Execution, blobs: Blobs) -> dict[str, Any]:
    problem = execution.error
    return {
        "id": execution.id,
        "workflow_id": execution.workflow_id,
        "workflow_version": execution.workflow_version,
        "status": execution.status,
        "started_at": execution.started_at,
        "completed_at": execution.completed_at,
        "duration": execution.duration,
        "input_data": _data(execution, execution.input, blobs),
        "output_data": (
            None if execution.output is None else _data(execution, execution.output, blobs)
        ),
        "error": None if problem is None else ErrorModel(**problem.as_dict()),
        "trigger": execution.trigger,
        "resumed_from": execution.resumed_from,
    }


def _data(execution: Execution, blob: Blob, blobs: Blobs) -> Any:
    return blobs.get(place_of_execution(execution.id), blob)


def step(step: Step, blobs: Blobs) -> StepModel:
    """A step of the ledger."""
    output = None
    if step.output is not None:
        output = blobs.get(place_of_execution(step.execution_id), step.output)
    error = None
    if step.error is not None and step.status == "failed":
        error = StepErrorModel(code=step.error.code, message=step.error.message)
    return StepModel(
        step_id=step.step_id,
        type=step.type,
        status=step.status,
        started_at=step.started_at,
        completed_at=step.completed_at,
        attempts=step.attempts,
        output=output,
        error=error,
        reused=True if step.reused else None,
    )


def log(entry: LogEntry) -> LogModel:
    """A line of a log."""
    return LogModel(**{**vars(entry), "data": dict(entry.data)})


def dry_run(rehearsed: DryRun, now: datetime) -> DryRunResult:
    """A rehearsal; its times are virtual, counted from now."""
    run = rehearsed.run

    def at(seconds: float) -> datetime:
        return now + timedelta(seconds=seconds)

    steps = [
        StepModel(
            step_id=one.step_id,
            type=one.type,
            status=one.status.value,
            started_at=at(one.started_at),
            completed_at=None if one.completed_at is None else at(one.completed_at),
            attempts=one.attempts,
            output=one.output,
            error=None
            if one.error is None
            else StepErrorModel(code=one.error.code, message=one.error.message),
        )
        for one in run.steps
    ]
    status: Any = run.status.value
    return DryRunResult(
        status=status,
        steps=steps,
        output_data=run.output,
        would_call=[WouldCall(**call) for call in rehearsed.would_call],
        warnings=list(rehearsed.warnings),
    )
