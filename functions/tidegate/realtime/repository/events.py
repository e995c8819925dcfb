"""A tenant's events in strict order (RT-2)."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tidegate_kit.clock import epoch
from tidegate_kit.dynamo import ConditionFailed, Transaction, batch_get, store_errors
from tidegate_kit.errors import ServiceUnavailable
from tidegate_kit.tenancy import TenantScope, key

from tidegate.realtime.domain import KEPT, Event
from tidegate.realtime.models import CounterItem, EventItem, ProgressItem, SourceItem

_ATTEMPTS = 30


@dataclass(frozen=True)
class NewEvent:
    """What is to be told. `progress` guards order: it may not fall, and 100 is the last (RT-4)."""

    source_id: str
    type: str
    data: Mapping[str, Any]
    user_id: str | None = None
    progress: tuple[str, int] | None = None


class DynamoEvents:
    """Events of one tenant."""

    def __init__(self, scope: TenantScope, pause: Callable[[float], None] = time.sleep) -> None:
        self._pk = f"{scope.pk}#EVENTS"
        self._pause = pause

    def last(self) -> int:
        """The last sequence number given, 0 if none."""
        (counter,) = batch_get([(CounterItem, self._pk, "COUNTER")])
        return int(counter.value) if counter is not None else 0

    def append(self, event: NewEvent, now: datetime) -> int | None:
        """Store an event under the next number, in one transaction with its source.

        None where this source was told already or its progress came too late. Raises
        ServiceUnavailable when too many writers compete.
        """
        for attempt in range(_ATTEMPTS):
            number = self.last() + 1
            try:
                self._write(event, number, now)
                return number
            except ConditionFailed as lost:
                if lost.names & {"source", "progress"}:
                    return None
                self._pause(random.uniform(0, 0.005 * (attempt + 1)))  # noqa: S311
        raise ServiceUnavailable(log="the event counter is contended")

    def _write(self, event: NewEvent, number: int, now: datetime) -> None:
        stamp: dict[str, Any] = {
            "created_at": now, "updated_at": now, "expires": epoch(now + KEPT),
        }  # fmt: skip
        writes = Transaction()
        expected = (
            CounterItem.pk.does_not_exist() if number == 1 else CounterItem.value == number - 1
        )
        # The counter never expires: a number is never given twice.
        counter = CounterItem(self._pk, "COUNTER", value=number, created_at=now, updated_at=now)
        writes.save(counter, expected, name="sequence")
        source = SourceItem(self._pk, key("SOURCE", event.source_id), **stamp)
        writes.save(source, SourceItem.pk.does_not_exist(), name="source")
        item = EventItem(
            self._pk, f"EVENT#{number:016d}", sequence=number, type=event.type,
            data=dict(event.data), user_id=event.user_id, **stamp,
        )  # fmt: skip
        writes.save(item, EventItem.pk.does_not_exist(), name="event")
        if event.progress is not None:
            subject, percent = event.progress
            told = ProgressItem(self._pk, key("PROGRESS", subject), progress=percent, **stamp)
            later = (
                ProgressItem.progress < 100
                if percent == 100
                else ((ProgressItem.progress <= percent) & (ProgressItem.progress < 100))
            )
            writes.save(told, ProgressItem.pk.does_not_exist() | later, name="progress")
        writes.commit()

    def after(self, sequence: int, limit: int, now: datetime) -> list[Event]:
        """Kept events above a number, in order; expired rows are gone even if still readable."""
        with store_errors():
            rows = list(
                EventItem.query(
                    self._pk,
                    EventItem.sk.between(f"EVENT#{sequence + 1:016d}", "EVENT#~"),
                    limit=limit,
                    consistent_read=True,
                )
            )
        return [_event(row) for row in rows if row.created_at > now - KEPT]

    def truncated(self, since: int, now: datetime) -> bool:
        """True if events above `since` are no longer kept, or `since` was never reached."""
        last = self.last()
        if since >= last:
            return since > last
        kept = self.after(since, 1, now)
        return not kept or kept[0].sequence != since + 1


def _event(item: EventItem) -> Event:
    return Event(int(item.sequence), item.type, item.data, item.created_at, item.user_id)
