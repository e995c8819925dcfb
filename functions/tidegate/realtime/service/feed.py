"""From records of the workflows stream to events (RT-4)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tidegate_kit.clock import Clock
from tidegate_kit.tenancy import TenantScope

from tidegate.realtime.repository.events import DynamoEvents, NewEvent
from tidegate.workflows.public import ExecutionProgress

Progress = Callable[[TenantScope, str], ExecutionProgress | None]


def execution_of(keys: Mapping[str, Any]) -> tuple[TenantScope, str] | None:
    """The execution that a changed item belongs to: EX#<id>, or a step of T#..#E#<id>."""
    parts, sort = keys["pk"]["S"].split("#"), keys["sk"]["S"]
    if parts[0] != "T" or len(parts) < 2:
        return None
    if len(parts) == 2 and sort.startswith("EX#"):
        return TenantScope(parts[1]), sort.removeprefix("EX#")
    if len(parts) == 4 and parts[2] == "E" and sort.startswith("STEP#"):
        return TenantScope(parts[1]), parts[3]
    return None


class Feed:
    """Tells the progress of executions."""

    def __init__(
        self, progress: Progress, events: Callable[[TenantScope], DynamoEvents], clock: Clock
    ) -> None:
        self._progress = progress
        self._events = events
        self._clock = clock

    def tell(self, record: Mapping[str, Any]) -> None:
        """One stream record; repeated or late ones tell nothing."""
        place = execution_of(record["dynamodb"]["Keys"])
        if place is None or record["eventName"] == "REMOVE":
            return
        scope, execution_id = place
        now = self._progress(scope, execution_id)
        if now is None:
            return
        data = {
            "execution_id": now.execution_id,
            "workflow_id": now.workflow_id,
            "status": now.status,
            "current_step": now.current_step,
            "progress": now.progress,
        }
        event = NewEvent(
            record["eventID"],
            "workflow_execution_update",
            data,
            progress=(execution_id, now.progress),
        )
        self._events(scope).append(event, self._clock())
