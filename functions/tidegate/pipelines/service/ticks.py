"""What the clock does, every five minutes and for every tenant."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from tidegate_kit.clock import Clock, iso
from tidegate_kit.errors import PolicyDenied, ServiceUnavailable
from tidegate_kit.ids import id_from
from tidegate_kit.observability import logger

from tidegate.pipelines import schedules
from tidegate.pipelines.errors import PipelineRunning, Superseded
from tidegate.pipelines.executions import Due, RunningRef
from tidegate.pipelines.repository import Executions
from tidegate.pipelines.service.engine import TOO_LONG
from tidegate.pipelines.service.runs import Runs

_AT_ONCE = 500
_LAUNCHED_WITHIN = timedelta(minutes=2)


class Everything(Protocol):
    """What is due, and what runs, in every tenant (GlobalPipelines)."""

    def due(self, now: datetime, limit: int) -> list[Due]:
        """Pipelines whose next start has come, oldest first."""

    def running(self, before: datetime, limit: int) -> list[RunningRef]:
        """Executions that began before an instant and have not ended, oldest first."""


@dataclass(frozen=True)
class TickParts:
    """What a tick is made of. `active` says whether a tenant may run anything."""

    everything: Everything
    store_of: Callable[[str], Executions]
    runs_of: Callable[[str], Runs]
    active: Callable[[str], bool]
    clock: Clock


def start_due(parts: TickParts) -> int:
    """Start what is due; how many were started.

    A time that was missed is made up for once, at the next tick; one that comes while the last
    execution still runs is left out (H16). A doubled tick gives the same execution.
    """
    started = 0
    for due in parts.everything.due(parts.clock(), _AT_ONCE):
        try:
            started += _start(parts, due)
        except ServiceUnavailable as error:
            # Still due: the next tick tries again; the other tenants must not wait for it.
            logger.error("a due pipeline was not started", tenant_id=due.tenant_id, cause=error.log)
    return started


def _start(parts: TickParts, due: Due) -> bool:
    store, now = parts.store_of(due.tenant_id), parts.clock()
    pipeline = store.pipeline(due.name)
    if pipeline.schedule.next_at != due.at or not pipeline.schedule.enabled:
        return False  # the index lags behind: changed or started already
    started = False
    if may_run(parts, due):
        execution_id = id_from(f"schedule/{due.tenant_id}/{due.name}/{iso(due.at)}")
        try:
            parts.runs_of(due.tenant_id).start(due.name, execution_id, "schedule")
            started = True
        except PolicyDenied:
            logger.info("left out, denied", tenant_id=due.tenant_id, pipeline=due.name)
        except PipelineRunning:
            logger.info("left out, still running", tenant_id=due.tenant_id, pipeline=due.name)
    store.passed(due, schedules.next_run(pipeline.schedule.expression, now), now)
    return started


def may_run(parts: TickParts, due: Due) -> bool:
    """False for a tenant that is deleted or switched off (H17)."""
    return parts.active(due.tenant_id)


def repair(parts: TickParts) -> int:
    """Launch what a dying starter left, end what outlived its machine; how many were touched."""
    touched = 0
    for ref in parts.everything.running(parts.clock() - _LAUNCHED_WITHIN, _AT_ONCE):
        try:
            touched += _repair(parts, ref)
        except (ServiceUnavailable, Superseded) as error:
            logger.error("an execution was not repaired", tenant_id=ref.tenant_id, cause=str(error))
    return touched


def _repair(parts: TickParts, ref: RunningRef) -> bool:
    store, now = parts.store_of(ref.tenant_id), parts.clock()
    found = store.get(ref.id)
    if found is None or found.over:
        return False
    if now >= found.deadline_at:
        store.finish(found.stopped("failed", TOO_LONG, now), now)
        return True
    if found.launched:
        return False
    parts.runs_of(ref.tenant_id).launch(found)
    return True
