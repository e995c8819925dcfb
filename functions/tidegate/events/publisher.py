"""From a batch of stream records to events on the bus, and which records must come again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from tidegate_kit.observability import logger

from tidegate.events.domain import Change, Event, Mapper, make_event
from tidegate.events.stream import read_change, sequence_of


class Bus(Protocol):
    """The event bus."""

    def put(self, events: Sequence[Event]) -> set[int]:
        """Publish; the positions of those that were not taken."""


class Publisher:
    """Publishes what follows from stream records.

    A record that fails is reported alone: its neighbours are published, Lambda brings it again and,
    after its last try, notes it in the dead-letter queue (H8). An event may therefore be published
    twice, always under the same id (EVT-5).
    """

    def __init__(
        self,
        mappings: Mapping[str, Mapper],
        bus: Bus,
        table_prefix: str,
        audit: Callable[[Change], list[Event]] = lambda _: [],
    ) -> None:
        """`audit` gives the internal events for the audit log; no event of EVT-4."""
        self._audit = audit
        self._mappings = mappings
        self._bus = bus
        self._prefix = table_prefix

    def publish(self, records: Sequence[Any]) -> list[str]:
        """Sequence numbers of the records to bring again, in order.

        Raises UnreadableRecord when a record has no sequence number: then the whole batch fails.
        """
        failed: set[str] = set()
        events: list[Event] = []
        origins: list[str] = []
        for record in records:
            sequence = sequence_of(record)
            made = self._guarded(record, sequence)
            if made is None:
                failed.add(sequence)
                continue
            events += made
            origins += [sequence] * len(made)
        failed |= {origins[position] for position in self._bus.put(events)} if events else set()
        return [sequence for sequence in map(sequence_of, records) if sequence in failed]

    def _guarded(self, record: Any, sequence: str) -> list[Event] | None:
        try:
            return self._events_of(record)
        except Exception:
            # Whatever is wrong with one record, the others must flow.
            logger.exception("stream record not mapped", sequence=sequence)
            return None

    def _events_of(self, record: Any) -> list[Event]:
        change = read_change(record, self._prefix)
        made = [make_event(change, draft) for draft in self._mappings[change.table](change)]
        return [*made, *self._audit(change)]
