"""The stored authorisation: sealing, opening, refreshing (CAL-1)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from tidegate_kit.crypto import SealBroken, SealContext, Sealer
from tidegate_kit.tenancy import UserScope

from tidegate.calendar.domain import Connection
from tidegate.calendar.sync.google import Tokens

RENEW_BEFORE = timedelta(seconds=60)


class Unusable(Exception):
    """No call can be made with what is stored; `reason` is told to the user."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


@dataclass(frozen=True)
class TokenVault:
    """Tokens of one user, sealed to him, to this record and to each field."""

    sealer: Sealer
    scope: UserScope

    def access_token(self, connection: Connection) -> str:
        """Raises Unusable."""
        return self._open(connection.access_token, "access_token")

    def refresh_token(self, connection: Connection) -> str:
        """Raises Unusable."""
        if connection.refresh_token is None:
            raise Unusable("Google gave no token to renew the access with")
        return self._open(connection.refresh_token, "refresh_token")

    def renewed(self, connection: Connection, tokens: Tokens, now: datetime) -> Connection:
        """With the tokens of a refresh. A provider that rotates sends a new refresh token too."""
        kept = connection.refresh_token
        if tokens.refresh_token is not None:
            kept = self._seal(tokens.refresh_token, "refresh_token")
        return replace(
            connection,
            access_token=self._seal(tokens.access_token, "access_token"),
            refresh_token=kept,
            expires_at=now + timedelta(seconds=tokens.expires_in),
        )

    def connected(
        self, tokens: Tokens, account: str, scopes: tuple[str, ...], now: datetime
    ) -> Connection:
        """A new connection."""
        refresh = tokens.refresh_token
        return Connection(
            access_token=self._seal(tokens.access_token, "access_token"),
            refresh_token=self._seal(refresh, "refresh_token") if refresh is not None else None,
            scopes=scopes,
            expires_at=now + timedelta(seconds=tokens.expires_in),
            account=account,
            created_at=now,
            updated_at=now,
        )

    def seal_verifier(self, verifier: str) -> str:
        """The PKCE verifier of a started authorisation."""
        return self._seal(verifier, "code_verifier")

    def open_verifier(self, sealed: str) -> str:
        """Raises Unusable."""
        return self._open(sealed, "code_verifier")

    def _seal(self, plain: str, field: str) -> str:
        return self.sealer.seal(plain, self._context(field))

    def _open(self, sealed: str, field: str) -> str:
        try:
            return self.sealer.open(sealed, self._context(field))
        except SealBroken as error:
            raise Unusable("the stored token cannot be read any more") from error

    def _context(self, field: str) -> SealContext:
        return SealContext(self.scope.tenant_id, f"{self.scope.pk}#OAUTH#google", field)
