"""Opening a socket: who may, as which client, from which event on (RT-1, RT-2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from tidegate_kit.auth.authenticate import (
    Authenticator,
    Credential,
    MemberStore,
    check_member,
)
from tidegate_kit.auth.tokens import Claims
from tidegate_kit.clock import Clock
from tidegate_kit.errors import Unauthenticated
from tidegate_kit.tenancy import TenantScope

from tidegate.realtime.domain import EVENT_TYPES, Connection, Ticket, is_client_id, sequence_of
from tidegate.realtime.repository.connections import DynamoConnections
from tidegate.realtime.repository.events import DynamoEvents
from tidegate.realtime.service.gateway import Gateway


class Tickets(Protocol):
    """Tickets that are used once."""

    def use(self, text: str, now: datetime) -> Ticket | None:
        """The ticket, at its first use before its end."""


class Refused(Exception):
    """The handshake is refused with this status."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


@dataclass(frozen=True)
class Identity:
    """Who opens the socket."""

    tenant_id: str
    user_id: str
    session_id: str


class Handshake:
    """Accepts or refuses `$connect`."""

    def __init__(
        self,
        authenticator: Authenticator,
        members: MemberStore,
        tickets: Tickets,
        gateway: Gateway,
        clock: Clock,
    ) -> None:
        self._authenticator = authenticator
        self._members = members
        self._tickets = tickets
        self._gateway = gateway
        self._clock = clock

    def open(self, connection_id: str, query: Mapping[str, str]) -> Connection:
        """Store the connection. Raises Refused 400 (client_id, since), 401 or 403."""
        client_id = query.get("client_id", "")
        if not is_client_id(client_id):
            raise Refused(400)
        since = sequence_of(query["since"]) if "since" in query else None
        if "since" in query and since is None:
            raise Refused(400)
        who = self._identify(query, client_id)
        return self._store(connection_id, who, client_id, since)

    def _identify(self, query: Mapping[str, str], client_id: str) -> Identity:
        try:
            if "ticket" in query:
                return self._by_ticket(query["ticket"], client_id)
            if "token" in query:
                return self._by_token(query["token"])
        except Unauthenticated as error:
            raise Refused(401) from error
        raise Refused(401)

    def _by_ticket(self, text: str, client_id: str) -> Identity:
        now = self._clock()
        ticket = self._tickets.use(text, now)
        if ticket is None:
            raise Refused(401)
        if ticket.client_id != client_id:
            raise Refused(403)
        claims = Claims(
            ticket.user_id, ticket.tenant_id, ticket.session_id, "", ticket.issued_at, now, False
        )
        # A ticket issued before logout or disabling opens nothing (A25).
        member = self._members.find(claims)
        if member is None:
            raise Refused(401)
        check_member(member, claims, now)
        return Identity(ticket.tenant_id, ticket.user_id, ticket.session_id)

    def _by_token(self, token: str) -> Identity:
        principal, _ = self._authenticator.authenticate(Credential(token, "bearer"))
        if principal.session_id is None:
            raise Refused(401)
        return Identity(principal.tenant_id, principal.user_id, principal.session_id)

    def _store(
        self, connection_id: str, who: Identity, client_id: str, since: int | None
    ) -> Connection:
        now, scope = self._clock(), TenantScope(who.tenant_id)
        events = DynamoEvents(scope)
        last = events.last()
        start = last if since is None else min(since, last)
        connection = Connection(
            id=connection_id, tenant_id=who.tenant_id, user_id=who.user_id, client_id=client_id,
            session_id=who.session_id, types=EVENT_TYPES, last_sent=start, wake=0,
            truncated=since is not None and events.truncated(since, now), connected_at=now,
        )  # fmt: skip
        replaced = DynamoConnections(scope).add(connection)
        if replaced is not None and replaced != connection_id:
            self._replace(scope, replaced)
        return connection

    def _replace(self, scope: TenantScope, connection_id: str) -> None:
        old = DynamoConnections(scope).get(connection_id)
        if old is not None:
            DynamoConnections(scope).remove(old)
        self._gateway.close(connection_id)
