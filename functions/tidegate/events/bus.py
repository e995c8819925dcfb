"""The EventBridge bus."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from tidegate_kit.observability import logger

from tidegate.events.domain import Event

_BATCH = 10  # PutEvents' limit


class EventBridgeBus:
    """Bus on EventBridge. `client` is a boto3 client of `events`."""

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        self._name = name

    def put(self, events: Sequence[Event]) -> set[int]:
        """Positions of the events that the bus did not take; it never raises for the bus."""
        refused: set[int] = set()
        for start in range(0, len(events), _BATCH):
            batch = events[start : start + _BATCH]
            refused |= {start + position for position in self._put_batch(batch)}
        return refused

    def _put_batch(self, batch: Sequence[Event]) -> set[int]:
        try:
            answer = self._client.put_events(Entries=[self._entry(event) for event in batch])
        except (ClientError, BotoCoreError) as error:
            logger.error("bus refused a batch", cause=str(error))
            return set(range(len(batch)))
        refused = {n for n, entry in enumerate(answer["Entries"]) if entry.get("ErrorCode")}
        if refused:
            codes = sorted({answer["Entries"][n]["ErrorCode"] for n in refused})
            logger.error("bus refused events", count=len(refused), codes=codes)
        return refused

    def _entry(self, event: Event) -> dict[str, str]:
        return {
            "EventBusName": self._name,
            "Source": event.source,
            "DetailType": event.type,
            "Detail": json.dumps(event.detail, ensure_ascii=False, separators=(",", ":")),
        }
