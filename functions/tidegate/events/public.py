"""What other domains may use of events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tidegate_kit.settings import settings_of

from tidegate.events.domain import EVENT_TYPES
from tidegate.events.settings import EventsSettings
from tidegate.events.wiring import publisher_of

__all__ = ["EVENT_TYPES", "publish_changes"]


def publish_changes(records: Sequence[Any]) -> list[str]:
    """Publish what follows from records of a table's stream, for the stream's own reader.

    A DynamoDB stream bears two readers at a time, so where it has them one publishes besides.
    Gives the sequence numbers of the records to bring again; the same record again gives the same
    event ids. The caller needs EVENT_BUS_NAME, and its role events:PutEvents on the bus.
    """
    return publisher_of(settings_of(EventsSettings)).publish(records)
