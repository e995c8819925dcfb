"""Importing and exporting iCalendar files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tidegate_kit.clock import Clock
from tidegate_kit.errors import PayloadTooLarge
from tidegate_kit.ids import IdFactory

from tidegate.calendar.domain import Event, Push, event_id_of
from tidegate.calendar.ical.reader import Incoming, read_calendar
from tidegate.calendar.ical.writer import write_calendar
from tidegate.calendar.repository.events import CHUNK, Events, Write
from tidegate.calendar.service.events import note, retried

MAX_FILE_BYTES = 5_500_000  # what a Lambda answer holds, with its envelope


@dataclass
class ImportCounts:
    """What an import did."""

    created: int = 0
    updated: int = 0
    skipped: int = 0


class FileService:
    """iCalendar files of one user."""

    def __init__(self, events: Events, clock: Clock, ids: IdFactory) -> None:
        self._events = events
        self._clock = clock
        self._ids = ids

    def export(self) -> bytes:
        """Every event. Raises PayloadTooLarge beyond what an answer holds."""
        data = write_calendar(self._events.all())
        if len(data) > MAX_FILE_BYTES:
            raise PayloadTooLarge("The calendar is too large for one file.")
        return data

    def load(self, data: bytes) -> ImportCounts:
        """Store the events of a file by UID; the same file again changes nothing.

        Raises BadCalendarFile, before anything is written. An import that is cut off is completed
        by sending the file again.
        """
        reading = read_calendar(data)
        latest: dict[str, Incoming] = {}
        for one in reading.events:
            event_id = event_id_of(one.uid, one.recurrence_id)
            known = latest.get(event_id)
            if known is None or one.sequence >= known.sequence:
                latest[event_id] = one
        counts = ImportCounts(skipped=reading.others + len(reading.events) - len(latest))
        ids = list(latest)
        for start in range(0, len(ids), CHUNK):
            part = ids[start : start + CHUNK]
            self._store(part, latest, counts)
        return counts

    def _store(self, ids: Sequence[str], latest: dict[str, Incoming], counts: ImportCounts) -> None:
        def attempt() -> tuple[int, int]:
            found = self._events.find(ids)
            merged = [self._merged(one, *found[one], latest[one]) for one in ids]
            changed = [event for event in merged if event is not None]
            self._events.commit([Write(put=event, push=self._note(event)) for event in changed])
            created = sum(event.version == 1 for event in changed)
            return created, len(changed) - created

        created, updated = retried(attempt)
        counts.created += created
        counts.updated += updated
        counts.skipped += len(ids) - created - updated

    def _merged(
        self, event_id: str, old: Event | None, noted: Push | None, new: Incoming
    ) -> Event | None:
        """The event to store, or None where it is stored already."""
        now = self._clock()
        if old is None:
            # A copy at Google whose deletion is still to be told is changed instead.
            copy = noted.copy if noted is not None else None
            return Event(
                event_id, new.content, now, now, uid=new.uid, recurrence_id=new.recurrence_id,
                source="ical", external_id=new.uid, extras=new.extras, copy=copy,
            )  # fmt: skip
        same_extras = old.source != "ical" or old.extras == new.extras
        if old.content == new.content and same_extras:
            return None
        changed = old.changed(new.content, now)
        return replace(changed, extras=new.extras, version=old.version + 1)

    def _note(self, event: Event) -> Push:
        return note(event, self._ids(), self._clock())
