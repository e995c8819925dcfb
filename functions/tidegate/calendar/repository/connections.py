"""The user's authorisation at a calendar provider."""

from __future__ import annotations

import hashlib
from typing import Any, Protocol

from tidegate_kit.clock import epoch
from tidegate_kit.dynamo import ConditionFailed, batch_get, store_errors
from tidegate_kit.tenancy import UserScope, key

from tidegate.calendar.domain import Connection, PendingOAuth
from tidegate.calendar.models import ConnectionItem, StateItem

_SK = "OAUTH#google"


class Connections(Protocol):
    """The connection of one user, and the ones he has started; reads are strongly consistent."""

    def get(self) -> Connection | None:
        """The connection."""

    def put(self, connection: Connection) -> None:
        """Store over the version before it (1: there must be none). Raises ConditionFailed."""

    def remove(self, connection: Connection) -> None:
        """Delete as read. Raises ConditionFailed."""

    def start(self, state: str, pending: PendingOAuth) -> None:
        """Remember a started authorisation."""

    def take(self, state: str) -> PendingOAuth | None:
        """Use up a started authorisation: of several calls one gets it."""


class DynamoConnections:
    """Connections on the table `calendar`."""

    def __init__(self, scope: UserScope) -> None:
        self._pk = scope.pk

    def get(self) -> Connection | None:
        (item,) = batch_get([(ConnectionItem, self._pk, _SK)])
        return _connection(item) if item is not None else None

    def put(self, connection: Connection) -> None:
        item = ConnectionItem(
            self._pk, _SK, access_token=connection.access_token,
            refresh_token=connection.refresh_token, scopes=list(connection.scopes),
            expires_at=connection.expires_at, account=connection.account,
            needs_reconnect=connection.needs_reconnect, last_error=connection.last_error,
            sync_token=connection.sync_token, page_token=connection.page_token,
            full=connection.full, lease=connection.lease, lease_until=connection.lease_until,
            version=connection.version, created_at=connection.created_at,
            updated_at=connection.updated_at,
        )  # fmt: skip
        try:
            with store_errors():
                item.save(condition=_follows(connection.version - 1))
        except ConditionFailed:
            # A retry of the SDK meets the write whose answer was lost.
            if self.get() != connection:
                raise

    def remove(self, connection: Connection) -> None:
        with store_errors():
            ConnectionItem(self._pk, _SK).delete(condition=_follows(connection.version))

    def start(self, state: str, pending: PendingOAuth) -> None:
        now = pending.expires_at
        item = StateItem(
            self._pk, _state_key(state), session_id=pending.session_id,
            redirect_uri=pending.redirect_uri, verifier=pending.verifier, nonce=pending.nonce,
            provider=pending.provider, expires_at=pending.expires_at,
            expires=epoch(pending.expires_at), created_at=now, updated_at=now,
        )  # fmt: skip
        with store_errors():
            item.save(condition=StateItem.pk.does_not_exist())

    def take(self, state: str) -> PendingOAuth | None:
        (item,) = batch_get([(StateItem, self._pk, _state_key(state))])
        if item is None:
            return None
        try:
            with store_errors():
                StateItem(self._pk, item.sk).delete(condition=StateItem.pk.exists())
        except ConditionFailed:
            return None
        return PendingOAuth(
            item.session_id, item.redirect_uri, item.verifier, item.nonce, item.provider,
            item.expires_at,
        )  # fmt: skip


def _follows(version: int) -> Any:
    if version == 0:
        return ConnectionItem.pk.does_not_exist()
    return ConnectionItem.version == version


def _state_key(state: str) -> str:
    # The state is a bearer value until it is used: the table holds its hash alone.
    return key("STATE", hashlib.sha256(state.encode()).hexdigest())


def _connection(item: ConnectionItem) -> Connection:
    return Connection(
        access_token=item.access_token,
        refresh_token=item.refresh_token,
        scopes=tuple(item.scopes),
        expires_at=item.expires_at,
        account=item.account,
        created_at=item.created_at,
        updated_at=item.updated_at,
        needs_reconnect=bool(item.needs_reconnect),
        last_error=item.last_error,
        sync_token=item.sync_token,
        page_token=item.page_token,
        full=item.full,
        lease=item.lease,
        lease_until=item.lease_until,
        version=int(item.version),
    )
