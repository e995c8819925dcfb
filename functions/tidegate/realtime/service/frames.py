"""What a client may send: subscribe, unsubscribe, ping, replay."""

from __future__ import annotations

import json
from typing import Any

from tidegate_kit.clock import Clock

from tidegate.realtime.domain import (
    EVENT_TYPES,
    MAX_FRAME_OCTETS,
    Connection,
    control,
    sequence_of,
)
from tidegate.realtime.repository.connections import DynamoConnections
from tidegate.realtime.repository.events import DynamoEvents
from tidegate.realtime.service.delivery import Delivery
from tidegate.realtime.service.gateway import Gateway


class Frames:
    """Answers the frames of one connection."""

    def __init__(
        self,
        connections: DynamoConnections,
        events: DynamoEvents,
        delivery: Delivery,
        gateway: Gateway,
        clock: Clock,
    ) -> None:
        self._connections = connections
        self._events = events
        self._delivery = delivery
        self._gateway = gateway
        self._clock = clock

    def receive(self, connection: Connection, body: str) -> None:
        """Do what the frame asks and reply with a control frame."""
        frame = read_frame(body)
        action = frame.get("action")
        name = action if isinstance(action, str) and len(action) <= 32 else "unknown"
        ok = self._do(connection, name, frame)
        self._gateway.post(connection.id, control(name, ok, self._clock()))
        if ok and name == "replay":
            self._delivery.catch_up(connection.id)

    def _do(self, connection: Connection, action: str, frame: dict[str, Any]) -> bool:
        if action == "ping":
            return True
        if action == "replay":
            since = sequence_of(frame.get("since"))
            if since is None:
                return False
            start = min(since, self._events.last())
            truncated = self._events.truncated(since, self._clock())
            self._connections.rewind(connection.id, start, truncated=truncated)
            return True
        types = frame.get("types")
        if action not in ("subscribe", "unsubscribe") or not isinstance(types, list):
            return False
        named = frozenset(name for name in types if isinstance(name, str))
        if len(named) != len(types) or named - EVENT_TYPES:
            return False
        kept = connection.types | named if action == "subscribe" else connection.types - named
        self._connections.subscribe(connection.id, kept)
        return True


def read_frame(body: str) -> dict[str, Any]:
    """A frame's object; an unreadable or over-long one is an empty object."""
    if len(body.encode()) > MAX_FRAME_OCTETS:
        return {}
    try:
        frame = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return frame if isinstance(frame, dict) else {}
