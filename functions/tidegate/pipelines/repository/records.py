"""Between stored executions and the domain."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, cast

from tidegate_kit.clock import epoch, iso
from tidegate_kit.tenancy import TenantScope, key

from tidegate.pipelines.executions import (
    Execution,
    PipelineName,
    Problem,
    Stage,
    StageStatus,
    Status,
    Trigger,
    Unit,
)
from tidegate.pipelines.models import ExecutionItem

KEEP = timedelta(days=90)
RUNNING = "RUNNING"


def execution_sk(execution_id: str) -> str:
    """The sort key of an execution."""
    return key("EXEC", execution_id)


def listing_sk(execution: Execution) -> str:
    """The place in the list of the pipeline."""
    return key("EXEC", f"{int(execution.started_at.timestamp() * 1000):014d}", execution.id)


def execution_item(scope: TenantScope, execution: Execution, now: datetime) -> ExecutionItem:
    """The item of an execution; while it runs it is in the index of running ones."""
    running = execution.status == "running"
    return ExecutionItem(
        scope.pk,
        execution_sk(execution.id),
        gsi1pk=RUNNING if running else None,
        gsi1sk=f"{epoch(execution.started_at):012d}#{execution.id}" if running else None,
        id=execution.id,
        tenant_id=execution.tenant_id,
        pipeline=execution.pipeline,
        status=execution.status,
        trigger=execution.trigger,
        parameters=dict(execution.parameters),
        stages=[_stage_record(stage) for stage in execution.stages],
        started_at=execution.started_at,
        deadline_at=execution.deadline_at,
        completed_at=execution.completed_at,
        revision=execution.revision,
        launched=execution.launched,
        expires=epoch(execution.started_at + KEEP),
        created_at=execution.started_at,
        updated_at=now,
    )


def execution_of(item: ExecutionItem) -> Execution:
    """The execution of an item."""
    return Execution(
        id=item.id,
        tenant_id=item.tenant_id,
        pipeline=cast(PipelineName, item.pipeline),
        status=cast(Status, item.status),
        trigger=cast(Trigger, item.trigger),
        parameters=item.parameters,
        stages=tuple(_stage_of(record) for record in item.stages),
        started_at=item.started_at,
        deadline_at=item.deadline_at,
        completed_at=item.completed_at,
        revision=int(item.revision),
        launched=bool(item.launched),
    )


def _stage_record(stage: Stage) -> dict[str, Any]:
    return {
        "name": stage.name,
        "status": stage.status,
        "started_at": _text(stage.started_at),
        "completed_at": _text(stage.completed_at),
        "units": None if stage.units is None else [_unit_record(unit) for unit in stage.units],
        "problems": [[one.code, one.message] for one in stage.problems],
    }


def _stage_of(record: dict[str, Any]) -> Stage:
    units = record["units"]
    return Stage(
        name=record["name"],
        status=cast(StageStatus, record["status"]),
        started_at=_moment(record["started_at"]),
        completed_at=_moment(record["completed_at"]),
        units=None if units is None else tuple(_unit_of(unit) for unit in units),
        problems=tuple(Problem(*one) for one in record["problems"]),
    )


def _unit_record(unit: Unit) -> list[Any]:
    problems = [[one.code, one.message] for one in unit.problems]
    return [unit.key, unit.done, unit.items, dict(unit.state), problems]


def _unit_of(record: list[Any]) -> Unit:
    name, done, items, state, problems = record
    return Unit(name, done, items, state, tuple(Problem(*one) for one in problems))


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else iso(moment)


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
