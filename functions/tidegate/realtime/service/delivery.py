"""Bringing a connection up to date: replay and live events by one mechanism (RT-2, H21).

A connection remembers the last event it got. Whoever learns of something new takes the lease on the
connection and sends everything after that, in order. A second worker finds the lease taken, leaves
a wake-up and goes; the holder lets go only if nobody left one. So there is neither gap nor repeat,
and replay (`since`) is only an earlier start.
"""

from __future__ import annotations

from tidegate_kit.clock import Clock
from tidegate_kit.tenancy import TenantScope

from tidegate.realtime.domain import Connection, control, message, visible
from tidegate.realtime.repository.connections import DynamoConnections
from tidegate.realtime.repository.events import DynamoEvents
from tidegate.realtime.service.gateway import Gateway

_PAGE = 50


class Delivery:
    """Sends kept events to the connections of one tenant."""

    def __init__(self, scope: TenantScope, gateway: Gateway, clock: Clock) -> None:
        self._connections = DynamoConnections(scope)
        self._events = DynamoEvents(scope)
        self._gateway = gateway
        self._clock = clock

    def to_all(self) -> None:
        """Bring every connection of the tenant up to date; a gone one is removed (H10)."""
        for connection_id in self._connections.ids():
            self.catch_up(connection_id)

    def catch_up(self, connection_id: str) -> None:
        """Send what a connection has not got yet."""
        connection = self._connections.take(connection_id, self._clock())
        while connection is not None:
            if self._send_page(connection) or self._connections.release(connection):
                return
            connection = self._connections.get(connection_id)

    def _send_page(self, connection: Connection) -> bool:
        """Send what is there; True if the connection is gone."""
        while True:
            if connection.truncated and not self._post(
                connection, control("replay_truncated", False, self._clock())
            ):
                return True
            events = self._events.after(connection.last_sent, _PAGE, self._clock())
            if not events:
                return False
            for event in events:
                shown = visible(event, connection)
                if shown and not self._post(connection, message(event)):
                    return True
            if not self._connections.advance(connection, events[-1].sequence, self._clock()):
                return False  # rewound by its client: the next look starts from there
            again = self._connections.get(connection.id)
            if again is None:
                return True
            connection = again

    def _post(self, connection: Connection, text: str) -> bool:
        if self._gateway.post(connection.id, text):
            return True
        self._connections.remove(connection)
        return False
