"""Tokens for other systems (AUTH-14, A26)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from tidegate_kit.auth.authenticate import SessionExpired
from tidegate_kit.auth.models import SessionItem
from tidegate_kit.auth.principal import Principal
from tidegate_kit.clock import Clock
from tidegate_kit.errors import Detail, Unprocessable

from tidegate.identity.errors import ScopeExceeded
from tidegate.identity.service.access_tokens import CROSS_SYSTEM_LIFE, AccessTokens


@dataclass(frozen=True)
class Granted:
    """A cross-system token: exactly the permissions asked for."""

    token: str = field(repr=False)
    expires_at: datetime
    permissions: list[str]


class CrossSystem:
    """Exchanges a session's rights for a narrow token of one other system."""

    def __init__(
        self,
        targets: Callable[[], Mapping[str, frozenset[str]]],
        tokens: AccessTokens,
        clock: Clock,
    ) -> None:
        self._targets = targets
        self._tokens = tokens
        self._clock = clock

    def grant(
        self,
        principal: Principal,
        session: SessionItem | None,
        target: str,
        permissions: list[str],
    ) -> Granted:
        """Raises Unprocessable for an unknown target, ScopeExceeded for a permission that is not
        held or not allowed there, SessionExpired where the session ends before the token would."""
        allowed = self._targets().get(target)
        if allowed is None:
            raise Unprocessable(details=[Detail("target_system", "is not a configured system")])
        wanted = sorted(set(permissions))
        if not set(wanted) <= (principal.permissions & allowed):
            raise ScopeExceeded
        if session is not None and session.absolute_expires_at < self._clock() + CROSS_SYSTEM_LIFE:
            raise SessionExpired("This session ends within the hour. Sign in again.")
        token, ends = self._tokens.for_target(principal, target, wanted)
        return Granted(token, ends, wanted)
