"""Sessions: opening, refreshing, ending (AUTH-8, AUTH-9, AUTH-13)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tidegate_kit.auth.authenticate import (
    IDLE_LIFE,
    Member,
    MemberStore,
    SessionRevoked,
    check_member,
    check_session,
)
from tidegate_kit.auth.models import SessionItem, UserItem, session_key
from tidegate_kit.auth.principal import Principal
from tidegate_kit.auth.tokens import SKEW_SECONDS, Claims, TokenInvalid
from tidegate_kit.clock import Clock, epoch
from tidegate_kit.errors import NotFound, Unauthenticated
from tidegate_kit.ids import IdFactory
from tidegate_kit.observability import logger
from tidegate_kit.tenancy import TenantScope, UserScope

from tidegate.identity import opaque
from tidegate.identity.errors import InvalidCredentials, RefreshReused
from tidegate.identity.repository.members import Members
from tidegate.identity.repository.sessions import Sessions
from tidegate.identity.service.access_tokens import AccessTokens
from tidegate.identity.service.credentials import Proved, Source

ABSOLUTE_LIFE = timedelta(days=30)


@dataclass(frozen=True)
class Issued:
    """A pair of tokens and the session they belong to."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    session: SessionItem


@dataclass(frozen=True)
class Presented:
    """A refresh token that names a stored member and session; nothing about it is proved yet."""

    member: Member
    session: SessionItem
    digest: str = field(repr=False)


class SessionService:
    """Opens, refreshes and ends sessions."""

    def __init__(
        self,
        sessions: Callable[[UserScope], Sessions],
        members: Callable[[TenantScope], Members],
        store: MemberStore,
        tokens: AccessTokens,
        clock: Clock,
        ids: IdFactory,
        secret: Callable[[int], bytes],
    ) -> None:
        self._sessions = sessions
        self._members = members
        self._store = store
        self._tokens = tokens
        self._clock = clock
        self._ids = ids
        self._secret = secret

    def open(self, proved: Proved, source: Source) -> Issued:
        """A new session, never one named by the caller (C15).

        Raises InvalidCredentials where the password changed while it was being checked.
        """
        user = proved.user
        # Clocks of two machines may differ: a session is never older than the last reset.
        now = max(self._clock(), user.tokens_valid_from)
        session_id = self._ids()
        refresh = self._refresh_token(user.tenant_id, user.id, session_id)
        ends = now + ABSOLUTE_LIFE
        session = SessionItem(
            TenantScope(user.tenant_id).pk, session_key(user.id, session_id), id=session_id,
            tenant_id=user.tenant_id, user_id=user.id, refresh_hash=opaque.digest(refresh),
            csrf_key=self._secret(32), ip=source.ip, user_agent=source.user_agent,
            last_used_at=now, absolute_expires_at=ends, expires=epoch(ends),
            created_at=now, updated_at=now,
        )  # fmt: skip
        token = self._tokens.for_session(user, session_id)
        stored = self._sessions(UserScope(user.tenant_id, user.id)).open(
            session, user.password_hash, proved.upgraded_hash
        )
        if not stored:
            raise InvalidCredentials
        return Issued(token, refresh, session)

    def present(self, refresh_token: str) -> Presented:
        """Read what a refresh token names. Raises TokenInvalid or SessionRevoked (401)."""
        parsed = opaque.parse("refresh", refresh_token)
        if parsed is None:
            raise TokenInvalid("The refresh token is not valid. Sign in again.")
        tenant_id, user_id, session_id = parsed.ids
        now = self._clock()
        claims = Claims(user_id, tenant_id, session_id, "", now, now, legacy=False)
        member = self._store.find(claims)
        if member is None or member.session is None:
            raise SessionRevoked
        return Presented(member, member.session, parsed.digest)

    def rotate(self, presented: Presented) -> Issued:
        """Use a refresh token up and give a new pair.

        Raises RefreshReused after ending the session where it was used before, TokenInvalid for
        a wrong secret (which ends nothing: ids alone are no proof), SessionRevoked or
        SessionExpired for a dead session. The absolute end never moves (A18).
        """
        now = self._clock()
        member, session = presented.member, presented.session
        scope = UserScope(session.tenant_id, session.user_id)
        sessions = self._sessions(scope)
        current = session.refresh_hash == presented.digest
        if not current:
            self._refuse_old(sessions, presented, now)
        claims = Claims(session.user_id, session.tenant_id, session.id, "", now, now, legacy=False)
        check_member(member, claims, now)
        fresh = self._refresh_token(session.tenant_id, session.user_id, session.id)
        token = self._tokens.for_session(member.user, session.id)
        if not sessions.rotate(session.id, presented.digest, opaque.digest(fresh), now):
            self._refuse_old(sessions, presented, now)
        return Issued(token, fresh, session)

    def _refuse_old(self, sessions: Sessions, presented: Presented, now: datetime) -> None:
        session = presented.session
        if not sessions.was_rotated(presented.digest):
            check_session(session, now)
            raise TokenInvalid("The refresh token is not valid. Sign in again.")
        sessions.revoke(session.id, now)
        logger.error(
            "security event: a used refresh token came back; its session was ended",
            tenant_id=session.tenant_id, user_id=session.user_id, session_id=session.id,
        )  # fmt: skip
        raise RefreshReused

    def renew(self, principal: Principal, member: Member) -> str:
        """A new access token for an unexpired one, once per token (AUTH-9)."""
        session = member.session
        if session is None:
            raise Unauthenticated("A token without a session cannot be renewed. Sign in again.")
        now = self._clock()
        token = self._tokens.for_session(member.user, session.id)
        until = principal.issued_at + timedelta(seconds=self._tokens.seconds + 2 * SKEW_SECONDS)
        if not self._sessions(principal.user).spend(session.id, principal.token_id, until, now):
            raise RefreshReused("This access token was renewed before, or its session has ended.")
        return token

    def living(self, scope: UserScope) -> list[SessionItem]:
        """The user's usable sessions, newest first."""
        now = self._clock()
        user = self._members(scope.tenant).get(scope.user_id)
        alive = [one for one in self._sessions(scope).all() if _alive(one, user, now)]
        return sorted(alive, key=lambda one: one.created_at, reverse=True)

    def end(self, scope: UserScope, session_id: str) -> None:
        """End one session of this user. Raises NotFound where no such session lives."""
        if not any(one.id == session_id for one in self.living(scope)):
            raise NotFound
        self._sessions(scope).revoke(session_id, self._clock())

    def log_out(self, principal: Principal, *, everywhere: bool) -> int:
        """End the caller's session, or all of them; how many ended."""
        scope = principal.user
        # A legacy token has no session: only the user's reset refuses it.
        if everywhere or principal.session_id is None:
            living = self.living(scope)
            # The reset also refuses sessions that open while this runs; the marks close sockets.
            self._members(scope.tenant).end_sessions(scope.user_id, self._clock())
            return sum(self._sessions(scope).revoke(one.id, self._clock()) for one in living)
        return int(self._sessions(scope).revoke(principal.session_id, self._clock()))

    def _refresh_token(self, tenant_id: str, user_id: str, session_id: str) -> str:
        return opaque.mint("refresh", (tenant_id, user_id, session_id), self._secret(32))


def _alive(session: SessionItem, user: UserItem, now: datetime) -> bool:
    return (
        session.revoked_at is None
        and session.created_at >= user.tokens_valid_from
        and now < session.absolute_expires_at
        and now - session.last_used_at < IDLE_LIFE
    )
