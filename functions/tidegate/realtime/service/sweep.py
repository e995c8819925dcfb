"""Closing sockets whose session ended or whose time is over (AUTH-13, RT-3)."""

from __future__ import annotations

from collections.abc import Iterable

from tidegate_kit.auth.authenticate import MemberStore, check_member
from tidegate_kit.auth.tokens import Claims
from tidegate_kit.clock import Clock
from tidegate_kit.errors import Unauthenticated
from tidegate_kit.tenancy import TenantScope

from tidegate.realtime.domain import MAX_AGE, Connection
from tidegate.realtime.repository.connections import DynamoConnections
from tidegate.realtime.service.gateway import Gateway


class Sweep:
    """Looks at every open socket once."""

    def __init__(self, members: MemberStore, gateway: Gateway, clock: Clock) -> None:
        self._members = members
        self._gateway = gateway
        self._clock = clock

    def run(self, places: Iterable[tuple[TenantScope, str]]) -> int:
        """Close what may not stay open; gives how many."""
        closed = 0
        for scope, connection_id in places:
            connections = DynamoConnections(scope)
            connection = connections.get(connection_id)
            if connection is not None and not self._may_stay(connection):
                connections.remove(connection)
                self._gateway.close(connection_id)
                closed += 1
        return closed

    def _may_stay(self, connection: Connection) -> bool:
        now = self._clock()
        if now - connection.connected_at >= MAX_AGE:
            return False
        claims = Claims(
            connection.user_id, connection.tenant_id, connection.session_id, "",
            connection.connected_at, now, False,
        )  # fmt: skip
        member = self._members.find(claims)
        if member is None:
            return False
        try:
            check_member(member, claims, now)
        except Unauthenticated:
            return False
        return True
