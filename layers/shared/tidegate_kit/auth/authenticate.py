"""From a presented credential to a Principal, by one consistent read (AUTH-7)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, Protocol

from tidegate_kit.auth.models import (
    SessionItem,
    SigningKeyItem,
    TenantItem,
    UserItem,
    UserPointerItem,
    session_key,
    user_key,
)
from tidegate_kit.auth.principal import Principal
from tidegate_kit.auth.tokens import Claims, PublicKey, TokenVerifier, public_key
from tidegate_kit.clock import Clock
from tidegate_kit.dynamo import Table, batch_get, store_errors
from tidegate_kit.errors import Unauthenticated
from tidegate_kit.tenancy import TenantScope

IDLE_LIFE = timedelta(hours=24)
_TOUCH_EVERY = timedelta(minutes=5)

ACCESS_COOKIE = "__Host-tg_access"
REFRESH_COOKIE = "__Host-tg_refresh"
CSRF_COOKIE = "__Host-tg_csrf"


class SessionRevoked(Unauthenticated):
    code = "SESSION_REVOKED"
    message = "This session has ended. Sign in again."


class SessionExpired(Unauthenticated):
    code = "SESSION_EXPIRED"
    message = "This session was idle too long or has reached its end. Sign in again."


@dataclass(frozen=True)
class Credential:
    """An access token and where it came from; Bearer wins over the cookie (AUTH-11)."""

    token: str
    via: Literal["bearer", "cookie"]


def credential_of(authorization: str | None, cookies: Mapping[str, str]) -> Credential | None:
    """The presented credential, if any. A header of another scheme is no credential."""
    if authorization:
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() == "bearer" and token:
            return Credential(token.strip(), "bearer")
        return None
    token = cookies.get(ACCESS_COOKIE, "")
    return Credential(token, "cookie") if token else None


@dataclass(frozen=True)
class Member:
    """Tenant, user and session of verified claims, as stored now."""

    tenant: TenantItem
    user: UserItem
    session: SessionItem | None


class MemberStore(Protocol):
    """Reads what a call is authenticated against."""

    def find(self, claims: Claims) -> Member | None:
        """Strongly consistent; None where tenant, user or session does not exist."""

    def touch(self, session: SessionItem, now: datetime) -> None:
        """Record use of a session (idle life, AUTH-8)."""


class DynamoMemberStore:
    """MemberStore on the identity table: one BatchGetItem a call."""

    def find(self, claims: Claims) -> Member | None:
        tenant_id = claims.tenant_id or self._tenant_of(claims.user_id)
        if tenant_id is None:
            return None
        pk = TenantScope(tenant_id).pk
        wanted: list[tuple[type[Table], str, str]] = [
            (TenantItem, pk, "TENANT"),
            (UserItem, pk, user_key(claims.user_id)),
        ]
        if claims.session_id is not None:
            wanted.append((SessionItem, pk, session_key(claims.user_id, claims.session_id)))
        tenant, user, *rest = batch_get(wanted)
        session = rest[0] if rest else None
        if not isinstance(tenant, TenantItem) or not isinstance(user, UserItem):
            return None
        if claims.session_id is not None and not isinstance(session, SessionItem):
            return None
        return Member(tenant, user, session if isinstance(session, SessionItem) else None)

    def _tenant_of(self, user_id: str) -> str | None:
        (pointer,) = batch_get([(UserPointerItem, f"USERID#{user_id}", "KEY")])
        return pointer.tenant_id if pointer is not None else None

    def touch(self, session: SessionItem, now: datetime) -> None:
        with store_errors():
            session.update(
                actions=[SessionItem.last_used_at.set(now)],
                condition=SessionItem.pk.exists(),
            )


def load_public_keys() -> dict[str, PublicKey]:
    """The published ring. A malformed entry stops the load with its kid (A23)."""
    with store_errors():
        items = list(SigningKeyItem.query("SIGNING_KEYS", consistent_read=True))
    ring: dict[str, PublicKey] = {}
    for item in items:
        try:
            ring[item.kid] = public_key(item.kid, item.x, item.y, item.status, item.retire_after)
        except ValueError as error:
            raise RuntimeError(f"signing key {item.kid} is not a point on P-256") from error
    return ring


class Authenticator:
    """Turns a credential into a Principal, or raises Unauthenticated (always 401)."""

    def __init__(self, verifier: TokenVerifier, members: MemberStore, clock: Clock) -> None:
        self._verifier = verifier
        self._members = members
        self._clock = clock

    def authenticate(self, credential: Credential) -> tuple[Principal, Member]:
        """Principal and stored member; records the session's use at most every five minutes."""
        claims = self._verifier.verify(credential.token)
        member = self._members.find(claims)
        if member is None:
            raise SessionRevoked
        now = self._clock()
        check_member(member, claims, now)
        session = member.session
        if session is not None and now - session.last_used_at >= _TOUCH_EVERY:
            self._members.touch(session, now)
        user = member.user
        return Principal(
            user_id=user.id,
            tenant_id=user.tenant_id,
            email=user.email,
            roles=frozenset(user.roles or {"user"}),
            is_owner=user.is_owner,
            session_id=claims.session_id,
            token_id=claims.token_id,
            issued_at=claims.issued_at,
            via=credential.via,
            list_key=bytes(member.tenant.list_key),
        ), member


def check_member(member: Member, claims: Claims, now: datetime) -> None:
    """Raise unless tenant, user and session are alive and not older than the last reset."""
    if not member.tenant.is_active or not member.user.is_active:
        raise SessionRevoked
    if claims.issued_at < member.user.tokens_valid_from.replace(microsecond=0):
        raise SessionRevoked
    if member.session is not None:
        # To the microsecond, where `iat` has whole seconds only: a session that began in the same
        # second as the reset is older or newer, never both (A15).
        if member.session.created_at < member.user.tokens_valid_from:
            raise SessionRevoked
        check_session(member.session, now)


def check_session(session: SessionItem, now: datetime) -> None:
    """Raise SessionRevoked or SessionExpired (AUTH-8). An expired row still readable is dead."""
    if session.revoked_at is not None:
        raise SessionRevoked
    if now >= session.absolute_expires_at or now - session.last_used_at >= IDLE_LIFE:
        raise SessionExpired
