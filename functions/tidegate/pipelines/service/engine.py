"""Works through an execution, step by step; every step is stored before the next begins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

from tidegate_kit.observability import logger

from tidegate.pipelines.errors import ExecutionGone, ProviderThrottled, ProviderUnavailable
from tidegate.pipelines.executions import Execution, Problem, Stage, Unit
from tidegate.pipelines.service.work import Parts, StageWork, Waiting

_TRIES = "tries"
MAX_TRIES = 4
Outcome = Literal["done", "again", "wait"]
TOO_LONG = Problem("TIMED_OUT", "It took longer than two hours.")
# What the state machine says about the end of a task, and what the tenant may read of it.
_REASONS: Mapping[str, Problem] = {
    "ProviderThrottled": Problem("THROTTLED", "AWS throttled us, also after waiting."),
    "ProviderUnavailable": Problem(
        "PROVIDER_UNAVAILABLE", "AWS did not answer, also after waiting."
    ),
    "ServiceUnavailable": Problem(
        "SERVICE_UNAVAILABLE", "A service of the platform did not answer."
    ),
    "States.Timeout": TOO_LONG,
    "Sandbox.Timedout": TOO_LONG,
}
_OTHER = Problem("INTERNAL_ERROR", "It failed on our side; the reason is in the log.")


def run(parts: Parts, works: Mapping[str, StageWork], execution_id: str) -> Outcome:
    """Go on with an execution until it ends, waits, or the time is up.

    Raises ExecutionGone, Superseded (another worker is at it), and what the machine tries again.
    """
    execution = living(parts, execution_id)
    while not execution.over:
        if parts.clock() >= execution.deadline_at:
            failed = execution.stopped("failed", TOO_LONG, parts.clock())
            parts.executions.finish(failed, parts.clock())
            break
        stage = next((one for one in execution.stages if not one.over), None)
        if stage is None:
            parts.executions.finish(execution.ended(parts.clock()), parts.clock())
            break
        execution, waits = _advance(parts, works[stage.name], execution, stage)
        if waits:
            return "wait"
        if not parts.has_time():
            return "again"
    return "done"


def living(parts: Parts, execution_id: str) -> Execution:
    """The execution as stored. Raises ExecutionGone."""
    found = parts.executions.get(execution_id)
    if found is None:
        raise ExecutionGone(execution_id)
    return found


def fail(parts: Parts, execution_id: str, error: str) -> None:
    """Close an execution that cannot go on; what was done stays."""
    execution = living(parts, execution_id)
    if not execution.over:
        problem = _REASONS.get(error, _OTHER)
        logger.error("a pipeline failed", pipeline=execution.pipeline, cause=error)
        now = parts.clock()
        parts.executions.finish(execution.stopped("failed", problem, now), now)


def _advance(
    parts: Parts, work: StageWork, execution: Execution, stage: Stage
) -> tuple[Execution, bool]:
    """One stored step of the stage: plan it, work at its units, or end it; True to wait."""
    now = parts.clock()
    if stage.units is None:
        units = tuple(work.plan(parts, execution))
        begun = replace(stage, status="running", started_at=stage.started_at or now, units=units)
        return _stored(parts, execution, begun), False
    open_units = [unit for unit in stage.units if not unit.done]
    if not open_units:
        return _stored(parts, execution, stage.ended(now)), False
    for unit in open_units:
        try:
            after, waits = work.step(parts, execution, unit), False
        except Waiting as waiting:
            after, waits = waiting.unit, True
        except (ProviderThrottled, ProviderUnavailable) as error:
            after, waits = _tried(unit, error)
        if after != unit:
            stage = _with_unit(stage, after)
            execution = _stored(parts, execution, stage)
        if not waits:
            return execution, False
        if not parts.has_time():
            break
    return execution, True


def _tried(unit: Unit, error: Exception) -> tuple[Unit, bool]:
    """The unit after a failed try, and whether to wait for another; the others go on."""
    tries = int(unit.state.get(_TRIES, 0)) + 1
    if tries >= MAX_TRIES:
        problem = _REASONS[type(error).__name__]
        text = f"{unit.key}: {problem.message}"
        return unit.ended(problems=[replace(problem, message=text)]), False
    return replace(unit, state={**unit.state, _TRIES: tries}), True


def _stored(parts: Parts, execution: Execution, stage: Stage) -> Execution:
    return parts.executions.save(execution.with_stage(stage), parts.clock())


def _with_unit(stage: Stage, unit: Unit) -> Stage:
    units = stage.units or ()
    return replace(stage, units=tuple(unit if one.key == unit.key else one for one in units))
