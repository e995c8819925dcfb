"""In-memory twins of the calendar repositories."""

from __future__ import annotations

from collections.abc import Sequence

from tidegate.calendar.domain import Connection, Event, PendingOAuth, Push, Task
from tidegate.calendar.repository.events import CHUNK, Write
from tidegate_kit.crypto import SealBroken, SealContext
from tidegate_kit.dynamo import ConditionFailed


class MemoryEvents:
    """Events."""

    def __init__(self) -> None:
        self.events: dict[str, Event] = {}
        self.noted: dict[str, Push] = {}
        self.links: dict[str, str] = {}

    def get(self, event_id: str) -> Event | None:
        return self.events.get(event_id)

    def all(self) -> list[Event]:
        return list(self.events.values())

    def find(self, event_ids: Sequence[str]) -> dict[str, tuple[Event | None, Push | None]]:
        return {one: (self.events.get(one), self.noted.get(one)) for one in event_ids}

    def linked(self, google_ids: Sequence[str]) -> dict[str, str]:
        return {one: self.links[one] for one in google_ids if one in self.links}

    def pushes(self) -> list[Push]:
        return sorted(self.noted.values(), key=lambda one: (one.child, one.at, one.event_id))

    def commit(self, writes: Sequence[Write]) -> None:
        assert len(writes) <= CHUNK
        lost = {name for write in writes for name in self._lost(write)}
        if lost:
            raise ConditionFailed(frozenset(lost))
        for write in writes:
            self._apply(write)

    def _lost(self, write: Write) -> list[str]:
        lost = []
        if write.put is not None:
            old = self.events.get(write.put.id)
            if (old.version if old else 0) != write.put.version - 1:
                lost.append(write.put.id)
        if write.remove is not None:
            old = self.events.get(write.remove.id)
            if old is None or old.version != write.remove.version:
                lost.append(write.remove.id)
        if write.clear is not None:
            noted = self.noted.get(write.clear.event_id)
            if noted is None or noted.change != write.clear.change:
                lost.append("change")
        return lost

    def _apply(self, write: Write) -> None:
        if write.put is not None:
            self.events[write.put.id] = write.put
            if write.link is not None:
                self.links[write.link[0]] = write.link[1]
        if write.remove is not None:
            del self.events[write.remove.id]
        if write.push is not None:
            self.noted[write.push.event_id] = write.push
        elif write.clear is not None:
            del self.noted[write.clear.event_id]


class MemoryTasks:
    """Tasks."""

    def __init__(self) -> None:
        self.tasks: dict[str, Task] = {}

    def get(self, task_id: str) -> Task | None:
        return self.tasks.get(task_id)

    def all(self) -> list[Task]:
        return list(self.tasks.values())

    def put(self, task: Task) -> None:
        old = self.tasks.get(task.id)
        if (old.version if old else 0) != task.version - 1 and old != task:
            raise ConditionFailed
        self.tasks[task.id] = task

    def remove(self, task: Task) -> None:
        old = self.tasks.get(task.id)
        if old is None or old.version != task.version:
            raise ConditionFailed
        del self.tasks[task.id]


class MemoryConnections:
    """Connections."""

    def __init__(self) -> None:
        self.connection: Connection | None = None
        self.started: dict[str, PendingOAuth] = {}

    def get(self) -> Connection | None:
        return self.connection

    def put(self, connection: Connection) -> None:
        old = self.connection
        if (old.version if old else 0) != connection.version - 1 and old != connection:
            raise ConditionFailed
        self.connection = connection

    def remove(self, connection: Connection) -> None:
        if self.connection is None or self.connection.version != connection.version:
            raise ConditionFailed
        self.connection = None

    def start(self, state: str, pending: PendingOAuth) -> None:
        if state in self.started:
            raise ConditionFailed
        self.started[state] = pending

    def take(self, state: str) -> PendingOAuth | None:
        return self.started.pop(state, None)


class MemorySealer:
    """A sealer whose text only opens in its own place."""

    def seal(self, plain: str, context: SealContext) -> str:
        return f"sealed|{context.tenant}|{context.record}|{context.field}|{plain[::-1]}"

    def open(self, sealed: str, context: SealContext) -> str:
        head = f"sealed|{context.tenant}|{context.record}|{context.field}|"
        if not sealed.startswith(head):
            raise SealBroken("moved")
        return sealed.removeprefix(head)[::-1]
