"""Creating, changing, deleting and listing events; each change is noted for Google."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeVar

from tidegate_kit.clock import Clock
from tidegate_kit.dynamo import ConditionFailed
from tidegate_kit.errors import NotFound
from tidegate_kit.ids import IdFactory

from tidegate.calendar.domain import Event, Push, digest_id
from tidegate.calendar.drafts import content_of
from tidegate.calendar.errors import ChangedMeanwhile
from tidegate.calendar.recurrence import occurs_between
from tidegate.calendar.repository.connections import Connections
from tidegate.calendar.repository.events import CHUNK, Events, Write

_ATTEMPTS = 4
R = TypeVar("R")


@dataclass(frozen=True)
class Window:
    """Filters of a list: events that touch the time, with a text in them."""

    begin: datetime | None = None
    end: datetime | None = None
    text: str | None = None

    def shows(self, event: Event) -> bool:
        """True for an event to be listed."""
        content = event.content
        if self.text is not None:
            wanted = self.text.casefold()
            texts = (content.title, content.description, content.location)
            if not any(wanted in text.casefold() for text in texts):
                return False
        if self.begin is None and self.end is None:
            return True
        return occurs_between(content, self.begin, self.end)


class EventService:
    """Events of one user."""

    def __init__(
        self, events: Events, connections: Connections, clock: Clock, ids: IdFactory
    ) -> None:
        self._events = events
        self._connections = connections
        self._clock = clock
        self._ids = ids

    def select(self, window: Window) -> list[Event]:
        """Events in the window, newest first."""
        rows = [event for event in self._events.all() if window.shows(event)]
        return sorted(rows, key=lambda event: (event.created_at, event.id), reverse=True)

    def get(self, event_id: str) -> Event:
        """One event. Raises NotFound."""
        event = self._events.get(event_id)
        if event is None:
            raise NotFound
        return event

    def create(self, values: Mapping[str, Any], effect_key: str | None = None) -> Event:
        """Store a new event; one `effect_key` makes one event, however often it is called."""
        now = self._clock()
        event_id = digest_id("effect", effect_key) if effect_key else self._ids()
        event = Event(event_id, content_of(values), now, now)
        try:
            self._events.commit([Write(put=event, push=self._note(event))])
        except ConditionFailed:
            return self.get(event_id)  # an earlier call with this key stored it
        return event

    def change(self, event_id: str, values: Mapping[str, Any]) -> Event:
        """Change the fields given. Raises NotFound, Unprocessable, ChangedMeanwhile."""

        def attempt() -> Event:
            old = self.get(event_id)
            new = old.changed(content_of(values, old.content), self._clock())
            new = replace(new, version=old.version + 1)
            self._events.commit([Write(put=new, push=self._note(new))])
            return new

        return retried(attempt)

    def delete(self, event_id: str) -> None:
        """Delete an event, a series with its changed occurrences. Raises NotFound."""

        def attempt() -> None:
            parts = self._with_parts(self.get(event_id))
            connected = self._connections.get() is not None
            noted = self._events.find([one.id for one in parts])
            for start in range(0, len(parts), CHUNK):
                self._events.commit(
                    [
                        self._removal(one, noted[one.id][1], connected=connected)
                        for one in parts[start : start + CHUNK]
                    ]
                )

        retried(attempt)

    def _with_parts(self, event: Event) -> list[Event]:
        if event.recurrence_id or event.content.recurrence is None:
            return [event]
        # The series goes last: what a killed call leaves behind can be deleted again.
        return [*parts_of(event, self._events.all()), event]

    def _removal(self, event: Event, noted: Push | None, *, connected: bool) -> Write:
        if connected or event.copy is not None:
            return Write(remove=event, push=note(event, self._ids(), self._clock(), deleted=True))
        return Write(remove=event, clear=noted)

    def _note(self, event: Event) -> Push:
        return note(event, self._ids(), self._clock())


def note(event: Event, change: str, at: datetime, *, deleted: bool = False) -> Push:
    """A change for Google."""
    return Push(
        event.id,
        "delete" if deleted else "upsert",
        change,
        at,
        copy=event.copy if deleted else None,
        child=bool(event.recurrence_id),
    )


def parts_of(series: Event, events: list[Event]) -> list[Event]:
    """The single occurrences of a series that differ from it."""
    return [one for one in events if one.recurrence_id and one.series_id == series.id]


def retried(attempt: Callable[[], R]) -> R:
    """Read, change and write again when another writer was faster. Raises ChangedMeanwhile."""
    for _ in range(_ATTEMPTS):
        try:
            return attempt()
        except ConditionFailed:
            continue
    raise ChangedMeanwhile
