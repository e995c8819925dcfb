"""The connection while one sync holds it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from tidegate_kit.clock import Clock
from tidegate_kit.dynamo import ConditionFailed
from tidegate_kit.ids import IdFactory

from tidegate.calendar.domain import Connection
from tidegate.calendar.errors import NoOAuthToken, ReconnectRequired, SyncRunning
from tidegate.calendar.repository.connections import Connections

LEASE = timedelta(seconds=60)  # longer than a function may run (30 s)


class Session:
    """One sync's hold on the connection: every save is over the version that it read (H30)."""

    def __init__(self, connections: Connections, clock: Clock, ids: IdFactory) -> None:
        self._connections = connections
        self._clock = clock
        self._ids = ids
        self.connection = self._taken()

    def _taken(self) -> Connection:
        connection = self._connections.get()
        if connection is None:
            raise NoOAuthToken
        if connection.needs_reconnect:
            raise ReconnectRequired
        now = self._clock()
        if connection.lease_until is not None and connection.lease_until > now:
            left = int((connection.lease_until - now).total_seconds()) + 1
            raise SyncRunning(headers={"Retry-After": str(left)})
        full = connection.full
        if connection.sync_token is None and full is None:
            full = self._ids()
        return self._stored(
            connection, lease=self._ids(), lease_until=now + LEASE, full=full, last_error=None
        )

    def save(self, **changes: Any) -> None:
        """Store changes. Raises NoOAuthToken or SyncRunning if the hold was lost."""
        self.connection = self._stored(self.connection, **changes)

    def keep(self, connection: Connection) -> None:
        """Store a connection with new tokens."""
        self.connection = self._stored(connection)

    def release(self, error: str | None = None, **changes: Any) -> None:
        """Let others sync; `error` is what GET /oauth tells."""
        self.save(lease=None, lease_until=None, last_error=error, **changes)

    def _stored(self, connection: Connection, **changes: Any) -> Connection:
        new = replace(
            connection, **changes, version=connection.version + 1, updated_at=self._clock()
        )
        try:
            self._connections.put(new)
        except ConditionFailed:
            if self._connections.get() is None:
                raise NoOAuthToken from None
            raise SyncRunning from None
        return new
