"""Creating, changing, deleting and listing tasks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from tidegate_kit.clock import Clock
from tidegate_kit.dynamo import ConditionFailed
from tidegate_kit.errors import NotFound
from tidegate_kit.ids import IdFactory

from tidegate.calendar.domain import Task, TaskStatus, digest_id
from tidegate.calendar.drafts import in_utc
from tidegate.calendar.repository.tasks import Tasks
from tidegate.calendar.service.events import retried


@dataclass(frozen=True)
class TaskFilter:
    """Filters of a list; `begin` and `end` bound `due`, so tasks without one are left out."""

    status: TaskStatus | None = None
    begin: datetime | None = None
    end: datetime | None = None

    def shows(self, task: Task) -> bool:
        """True for a task to be listed."""
        if self.status is not None and task.status != self.status:
            return False
        if self.begin is None and self.end is None:
            return True
        return (
            task.due is not None
            and (self.begin is None or task.due >= self.begin)
            and (self.end is None or task.due < self.end)
        )


class TaskService:
    """Tasks of one user."""

    def __init__(self, tasks: Tasks, clock: Clock, ids: IdFactory) -> None:
        self._tasks = tasks
        self._clock = clock
        self._ids = ids

    def select(self, wanted: TaskFilter) -> list[Task]:
        """Tasks that fit, newest first."""
        rows = [task for task in self._tasks.all() if wanted.shows(task)]
        return sorted(rows, key=lambda task: (task.created_at, task.id), reverse=True)

    def get(self, task_id: str) -> Task:
        """One task. Raises NotFound."""
        task = self._tasks.get(task_id)
        if task is None:
            raise NotFound
        return task

    def create(self, values: Mapping[str, Any], effect_key: str | None = None) -> Task:
        """Store a new task; one `effect_key` makes one task, however often it is called."""
        now = self._clock()
        task_id = digest_id("effect", effect_key) if effect_key else self._ids()
        task = _settled(Task(task_id, created_at=now, updated_at=now, **_in_utc(values)), now)
        try:
            self._tasks.put(task)
        except ConditionFailed:
            return self.get(task_id)  # an earlier call with this key stored it
        return task

    def change(self, task_id: str, values: Mapping[str, Any]) -> Task:
        """Change the fields given. Raises NotFound, ChangedMeanwhile."""

        def attempt() -> Task:
            old, now = self.get(task_id), self._clock()
            changed = replace(old, **_in_utc(values), updated_at=now, version=old.version + 1)
            new = _settled(changed, now)
            self._tasks.put(new)
            return new

        return retried(attempt)

    def delete(self, task_id: str) -> None:
        """Delete a task. Raises NotFound, ChangedMeanwhile."""
        retried(lambda: self._tasks.remove(self.get(task_id)))


def _in_utc(values: Mapping[str, Any]) -> dict[str, Any]:
    due = values.get("due")
    return {**values, "due": in_utc(due)} if due is not None else dict(values)


def _settled(task: Task, now: datetime) -> Task:
    """A task is completed since it was first set to done, and not when it is open again."""
    if task.status != "done":
        return replace(task, completed_at=None)
    return task if task.completed_at is not None else replace(task, completed_at=now)
