"""Open sockets of a tenant, and the lease that lets one worker at a time write to each."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from tidegate_kit.clock import epoch
from tidegate_kit.dynamo import ConditionFailed, Transaction, batch_get, store_errors
from tidegate_kit.tenancy import TenantScope, key

from tidegate.realtime.domain import MAX_AGE, Connection
from tidegate.realtime.models import ClientItem, ConnectionItem, PointerItem

_LEASE = timedelta(seconds=30)
_SHARDS = 8


class GlobalConnections:
    """Which tenant a connection id belongs to."""

    def tenant_of(self, connection_id: str) -> TenantScope | None:
        """The scope of a connection."""
        (found,) = batch_get([(PointerItem, _shard(connection_id), connection_id)])
        return TenantScope(found.tenant_id) if found is not None else None

    def all(self) -> Iterator[tuple[TenantScope, str]]:
        """Every connection, for the sweep."""
        for shard in range(_SHARDS):
            with store_errors():
                for item in PointerItem.query(f"CONNECTIONS#{shard}", consistent_read=True):
                    yield TenantScope(item.tenant_id), item.sk


class DynamoConnections:
    """Connections of one tenant."""

    def __init__(self, scope: TenantScope) -> None:
        self._scope = scope

    def add(self, connection: Connection) -> str | None:
        """Store a connection; gives the id of the one that the same client had before."""
        now, pk = connection.connected_at, self._scope.pk
        (before,) = batch_get([(ClientItem, pk, _client(connection))])
        stamp: dict[str, Any] = {
            "created_at": now, "updated_at": now, "expires": epoch(now + 2 * MAX_AGE),
        }  # fmt: skip
        writes = Transaction()
        writes.save(
            ConnectionItem(
                pk, f"CONN#{connection.id}", id=connection.id, tenant_id=connection.tenant_id,
                user_id=connection.user_id, client_id=connection.client_id,
                session_id=connection.session_id, types=set(connection.types) or None,
                last_sent=connection.last_sent, truncated=connection.truncated, **stamp,
            )
        )  # fmt: skip
        writes.save(
            PointerItem(
                _shard(connection.id), connection.id, tenant_id=connection.tenant_id, **stamp
            )
        )
        writes.save(ClientItem(pk, _client(connection), connection_id=connection.id, **stamp))
        writes.commit()
        return before.connection_id if before is not None else None

    def get(self, connection_id: str) -> Connection | None:
        """A connection, strongly consistent."""
        (found,) = batch_get([(ConnectionItem, self._scope.pk, f"CONN#{connection_id}")])
        return _connection(found) if found is not None else None

    def ids(self) -> list[str]:
        """Every open connection of the tenant."""
        with store_errors():
            rows = ConnectionItem.query(
                self._scope.pk, ConnectionItem.sk.startswith("CONN#"), consistent_read=True
            )
            return [row.id for row in rows]

    def remove(self, connection: Connection) -> None:
        """Forget a connection; its client's row only if it is still this one's."""
        pk = self._scope.pk
        with store_errors():
            ConnectionItem(pk, f"CONN#{connection.id}").delete()
            PointerItem(_shard(connection.id), connection.id).delete()
        try:
            with store_errors():
                ClientItem(pk, _client(connection)).delete(
                    condition=ClientItem.connection_id == connection.id
                )
        except ConditionFailed:
            return  # the client has connected again

    def subscribe(self, connection_id: str, types: frozenset[str]) -> None:
        """Replace the subscribed types."""
        value = set(types)
        self._update(
            connection_id,
            [ConnectionItem.types.set(value) if value else ConnectionItem.types.remove()],
            None,
        )

    def rewind(self, connection_id: str, sequence: int, *, truncated: bool) -> None:
        """Send again everything above a number."""
        self._update(
            connection_id,
            [
                ConnectionItem.last_sent.set(sequence),
                ConnectionItem.truncated.set(truncated),
                ConnectionItem.wake.set(ConnectionItem.wake + 1),
            ],
            None,
        )

    def take(self, connection_id: str, now: datetime) -> Connection | None:
        """The lease to write to a connection; None if another worker holds it or it is gone.

        The loser leaves a wake-up, so that the holder looks again before it lets go.
        """
        free = ConnectionItem.lease_until.does_not_exist() | (ConnectionItem.lease_until <= now)
        if self._update(connection_id, [ConnectionItem.lease_until.set(now + _LEASE)], free):
            return self.get(connection_id)
        self._update(connection_id, [ConnectionItem.wake.set(ConnectionItem.wake + 1)], None)
        return None

    def advance(self, connection: Connection, sequence: int, now: datetime) -> bool:
        """Note what was sent and keep the lease; False if the client rewound meanwhile."""
        return self._update(
            connection.id,
            [
                ConnectionItem.last_sent.set(sequence),
                ConnectionItem.truncated.set(False),
                ConnectionItem.lease_until.set(now + _LEASE),
            ],
            ConnectionItem.last_sent == connection.last_sent,
        )

    def release(self, connection: Connection) -> bool:
        """Let go of the lease; False if somebody left a wake-up: look again."""
        return self._update(
            connection.id,
            [ConnectionItem.lease_until.remove()],
            ConnectionItem.wake == connection.wake,
        )

    def _update(self, connection_id: str, actions: list[Any], condition: Any) -> bool:
        item = ConnectionItem(self._scope.pk, f"CONN#{connection_id}")
        exists = ConnectionItem.id.exists()
        try:
            with store_errors():
                item.update(
                    actions=actions, condition=exists if condition is None else exists & condition
                )
        except ConditionFailed:
            return False
        return True


def _shard(connection_id: str) -> str:
    return f"CONNECTIONS#{zlib.crc32(connection_id.encode()) % _SHARDS}"


def _client(connection: Connection) -> str:
    return key("CLIENT", connection.user_id, connection.client_id)


def _connection(item: ConnectionItem) -> Connection:
    return Connection(
        id=item.id, tenant_id=item.tenant_id, user_id=item.user_id, client_id=item.client_id,
        session_id=item.session_id, types=frozenset(item.types or ()),
        last_sent=int(item.last_sent), wake=int(item.wake), truncated=item.truncated,
        connected_at=item.created_at,
    )  # fmt: skip
