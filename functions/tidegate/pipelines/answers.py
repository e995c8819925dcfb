"""From the domain to the answers of contract 2.14."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from tidegate_kit.budgets import BudgetStore, period_of, resets_at
from tidegate_kit.money import from_nano, money_text, to_nano

from tidegate.pipelines import schemas
from tidegate.pipelines.executions import Execution, Pipeline, Stage


def started(execution: Execution) -> schemas.Started:
    """The answer to a run."""
    return schemas.Started(
        execution_id=execution.id,
        pipeline=execution.pipeline,
        status=execution.status,
        started_at=execution.started_at,
    )


def execution(found: Execution) -> schemas.ExecutionView:
    """The execution object."""
    duration = None
    if found.completed_at is not None:
        duration = (found.completed_at - found.started_at).total_seconds()
    return schemas.ExecutionView(
        id=found.id,
        pipeline=found.pipeline,
        status=found.status,
        trigger=found.trigger,
        parameters=dict(found.parameters),
        stages=[_stage(stage) for stage in found.stages],
        started_at=found.started_at,
        completed_at=found.completed_at,
        duration=duration,
    )


def _stage(stage: Stage) -> schemas.StageView:
    return schemas.StageView(
        name=stage.name,
        status=stage.status,
        started_at=stage.started_at,
        completed_at=stage.completed_at,
        items=stage.items,
        errors=[
            schemas.ProblemView(code=one.code, message=one.message) for one in stage.all_problems
        ],
    )


def pipeline(found: Pipeline, last: Execution | None) -> schemas.PipelineView:
    """The pipeline object."""
    schedule = found.schedule
    return schemas.PipelineView(
        name=found.name,
        schedule=schemas.ScheduleView(expression=schedule.expression, enabled=schedule.enabled),
        last_execution=None if last is None else execution(last),
    )


def budget(store: BudgetStore, now: datetime) -> schemas.BudgetView:
    """The limit and this month's counters."""
    limit = store.limits().monthly or 0
    spend = store.spend(period_of(now))
    left = max(0, limit - spend.committed)
    return schemas.BudgetView(
        aws_api_monthly=money_text(from_nano(limit)),
        used=money_text(from_nano(spend.used)),
        reserved=money_text(from_nano(spend.reserved)),
        remaining=money_text(from_nano(left)),
        resets_at=resets_at(now),
    )


def limit(text: str) -> int:
    """A limit of a body in billionths."""
    return to_nano(Decimal(text))
