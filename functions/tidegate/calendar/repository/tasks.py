"""Tasks of one user."""

from __future__ import annotations

from typing import Any, Protocol

from tidegate_kit.dynamo import ConditionFailed, batch_get, store_errors
from tidegate_kit.tenancy import UserScope, key

from tidegate.calendar.domain import Task
from tidegate.calendar.models import TaskItem


class Tasks(Protocol):
    """Tasks of one user; reads are strongly consistent."""

    def get(self, task_id: str) -> Task | None:
        """One task."""

    def all(self) -> list[Task]:
        """Every task, in no promised order."""

    def put(self, task: Task) -> None:
        """Store over the version before it (1: there must be none). Raises ConditionFailed."""

    def remove(self, task: Task) -> None:
        """Delete as read. Raises ConditionFailed."""


class DynamoTasks:
    """Tasks on the table `calendar`."""

    def __init__(self, scope: UserScope) -> None:
        self._pk = scope.pk

    def get(self, task_id: str) -> Task | None:
        (item,) = batch_get([(TaskItem, self._pk, key("TASK", task_id))])
        return _task(item) if item is not None else None

    def all(self) -> list[Task]:
        with store_errors():
            rows = TaskItem.query(self._pk, TaskItem.sk.startswith("TASK#"), consistent_read=True)
            return [_task(item) for item in rows]

    def put(self, task: Task) -> None:
        item = TaskItem(
            self._pk, key("TASK", task.id), id=task.id, title=task.title,
            description=task.description or None, due=task.due, time_zone=task.time_zone,
            priority=task.priority, status=task.status, completed_at=task.completed_at,
            version=task.version, created_at=task.created_at, updated_at=task.updated_at,
        )  # fmt: skip
        try:
            with store_errors():
                item.save(condition=_follows(task.version - 1))
        except ConditionFailed:
            # A retry of the SDK meets the write whose answer was lost.
            if self.get(task.id) != task:
                raise

    def remove(self, task: Task) -> None:
        with store_errors():
            TaskItem(self._pk, key("TASK", task.id)).delete(condition=_follows(task.version))


def _follows(version: int) -> Any:
    if version == 0:
        return TaskItem.pk.does_not_exist()
    if version == 1:  # items older than the attribute count as their first version (H27)
        return TaskItem.pk.exists() & (TaskItem.version.does_not_exist() | (TaskItem.version == 1))
    return TaskItem.version == version


def _task(item: TaskItem) -> Task:
    priority: Any = item.priority if item.priority in {"low", "medium", "high"} else "medium"
    status: Any = item.status if item.status in {"open", "in_progress", "done"} else "open"
    return Task(
        id=item.id,
        title=item.title,
        created_at=item.created_at,
        updated_at=item.updated_at,
        description=item.description or "",
        due=item.due,
        time_zone=item.time_zone or "UTC",
        priority=priority,
        status=status,
        completed_at=item.completed_at,
        version=int(item.version or 1),
    )
