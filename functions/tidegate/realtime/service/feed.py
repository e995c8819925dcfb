"""From records of the workflows stream to events (RT-4)."""

from __future__ import annotations

import json
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


def notice_of(change: Mapping[str, Any]) -> tuple[TenantScope, str, dict[str, Any]] | None:
    """The notice in a new log line of an execution: tenant, the line's id, the alert's data."""
    keys, image = change["Keys"], change.get("NewImage", {})
    parts, sort = keys["pk"]["S"].split("#"), keys["sk"]["S"]
    if parts[0] != "T" or len(parts) != 2 or not sort.startswith("LOG#") or "data" not in image:
        return None
    notice = json.loads(image["data"]["S"]).get("notice")
    if notice is None:
        return None
    data = {
        "severity": notice["severity"],
        "component": "workflow",
        "status": "notice",
        "message": f"{notice['title']}: {notice['message']}",
    }
    return TenantScope(parts[1]), sort.removeprefix("LOG#"), data


class Feed:
    """Tells the progress of executions, and what their notify nodes have to say."""

    def __init__(
        self, progress: Progress, events: Callable[[TenantScope], DynamoEvents], clock: Clock
    ) -> None:
        self._progress = progress
        self._events = events
        self._clock = clock

    def tell(self, record: Mapping[str, Any]) -> None:
        """One stream record; repeated or late ones tell nothing."""
        if record["eventName"] == "REMOVE":
            return
        notice = notice_of(record["dynamodb"])
        if notice is not None:
            scope, line, alert = notice
            event = NewEvent(f"notice:{line}", "system_alert", alert)
            self._events(scope).append(event, self._clock())
        place = execution_of(record["dynamodb"]["Keys"])
        if place is not None:
            self._tell_progress(record["eventID"], *place)

    def _tell_progress(self, source_id: str, scope: TenantScope, execution_id: str) -> None:
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
            source_id,
            "workflow_execution_update",
            data,
            progress=(execution_id, now.progress),
        )
        self._events(scope).append(event, self._clock())
