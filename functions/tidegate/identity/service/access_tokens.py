"""Signs access tokens and cross-system tokens with the active key (AUTH-5, AUTH-14)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Protocol

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from tidegate_kit.auth.models import UserItem
from tidegate_kit.auth.permissions import highest_role
from tidegate_kit.auth.principal import Principal
from tidegate_kit.auth.tokens import AUDIENCE, TOKEN_TYPE
from tidegate_kit.clock import Clock, epoch
from tidegate_kit.ids import IdFactory

CROSS_SYSTEM_TYPE = "cross-system+jwt"
CROSS_SYSTEM_LIFE = timedelta(hours=1)


class Signer(Protocol):
    """The active signing key."""

    @property
    def kid(self) -> str:
        """Key id of the published half."""

    @property
    def key(self) -> ec.EllipticCurvePrivateKey:
        """The private half."""


class AccessTokens:
    """Makes tokens. `signer` gives the active key; `seconds` is the access token's life."""

    def __init__(
        self, signer: Callable[[], Signer], issuer: str, seconds: int, clock: Clock, ids: IdFactory
    ) -> None:
        self._signer = signer
        self._issuer = issuer
        self._clock = clock
        self._ids = ids
        self.seconds = seconds

    def for_session(self, user: UserItem, session_id: str) -> str:
        """An access token of a session."""
        claims = {
            "aud": AUDIENCE,
            "sub": user.id,
            "email": user.email,
            "role": highest_role(frozenset(user.roles or ())),
            "tid": user.tenant_id,
            "sid": session_id,
        }
        return self._sign(claims, self._clock() + timedelta(seconds=self.seconds), TOKEN_TYPE)

    def for_target(
        self, principal: Principal, target: str, permissions: list[str]
    ) -> tuple[str, datetime]:
        """A token for another system, and when it ends. Tidegate itself refuses it (AUTH-14)."""
        ends = self._clock() + CROSS_SYSTEM_LIFE
        claims = {
            "aud": target,
            "sub": principal.user_id,
            "tid": principal.tenant_id,
            "scope": " ".join(permissions),
        }
        return self._sign(claims, ends, CROSS_SYSTEM_TYPE), ends

    def _sign(self, claims: dict[str, Any], ends: datetime, kind: str) -> str:
        signer = self._signer()
        issued = epoch(self._clock())
        life = round((ends - self._clock()).total_seconds())
        return jwt.encode(
            {
                "iss": self._issuer,
                **claims,
                "jti": self._ids(),
                "iat": issued,
                "nbf": issued,
                "exp": issued + life,
            },
            signer.key,
            algorithm="ES256",
            headers={"kid": signer.kid, "typ": kind},
        )
