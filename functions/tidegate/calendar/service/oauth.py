"""Connecting a calendar: OAuth 2.0 with PKCE, a single-use state bound to the session."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit

from tidegate_kit.clock import Clock
from tidegate_kit.dynamo import ConditionFailed
from tidegate_kit.errors import ApiError, NotFound
from tidegate_kit.ids import IdFactory
from tidegate_kit.observability import logger
from tidegate_kit.outbound import OutboundFailed

from tidegate.calendar.domain import Connection, PendingOAuth
from tidegate.calendar.errors import (
    AccessNotGranted,
    ChangedMeanwhile,
    NotConfigured,
    OAuthStateInvalid,
    ProviderRateLimited,
    ProviderUnavailable,
    RedirectNotAllowed,
)
from tidegate.calendar.repository.connections import Connections
from tidegate.calendar.sync.google import GoogleClient, Refused, Tokens
from tidegate.calendar.sync.tokens import TokenVault, Unusable

CALENDAR_SCOPE = "https://www.googleapis.com/auth/calendar.events"
SCOPES = ("openid", CALENDAR_SCOPE)
STATE_LIFE = timedelta(minutes=10)
_CALL_SECONDS = 10.0
_ATTEMPTS = 4
_PLAIN_URL = re.compile(r"https?://[^\s\\@#]+", re.ASCII)


@dataclass(frozen=True)
class Provider:
    """Where users are sent, and who answers."""

    authorization_url: str
    issuer: str
    client_id: str | None

    @property
    def name(self) -> str:
        """Identifies issuer and client; a state of another one is refused (mix-up)."""
        return f"{self.issuer} {self.authorization_url} {self.client_id}"


class OAuthService:
    """The connection of one user."""

    def __init__(
        self,
        connections: Connections,
        vault: TokenVault,
        google: GoogleClient,
        provider: Provider,
        origins: Collection[str],
        clock: Clock,
        ids: IdFactory,
        secret: Callable[[], str],
    ) -> None:
        self._connections = connections
        self._vault = vault
        self._google = google
        self._provider = provider
        self._origins = origins
        self._clock = clock
        self._ids = ids
        self._secret = secret

    def status(self) -> Connection | None:
        """The connection, if there is one."""
        return self._connections.get()

    def start(self, session_id: str | None, redirect_uri: str) -> tuple[str, str]:
        """(address to send the user to, state). Raises RedirectNotAllowed, NotConfigured."""
        check_redirect(redirect_uri, self._origins)
        if self._provider.client_id is None:
            raise NotConfigured
        state, verifier, nonce = self._secret(), self._secret(), self._secret()
        pending = PendingOAuth(
            session_id=session_id or "",
            redirect_uri=redirect_uri,
            verifier=self._vault.seal_verifier(verifier),
            nonce=nonce,
            provider=self._provider.name,
            expires_at=self._clock() + STATE_LIFE,
        )
        self._connections.start(state, pending)
        query = {
            "response_type": "code",
            "client_id": self._provider.client_id,
            "redirect_uri": redirect_uri,
            "scope": " ".join(SCOPES),
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge_of(verifier),
            "code_challenge_method": "S256",
            "access_type": "offline",
            "prompt": "consent",
        }
        return f"{self._provider.authorization_url}?{urlencode(query)}", state

    def complete(self, session_id: str | None, code: str, state: str) -> Connection:
        """Exchange the code and store the tokens.

        Raises OAuthStateInvalid, AccessNotGranted, ProviderUnavailable, ProviderRateLimited.
        """
        pending = self._connections.take(state)
        if pending is None or not self._holds(pending, session_id or ""):
            raise OAuthStateInvalid
        tokens = self._exchanged(code, pending)
        check_identity(tokens.identity, self._provider, pending.nonce)
        scopes = tokens.scopes if tokens.scopes is not None else SCOPES
        if CALENDAR_SCOPE not in scopes:
            raise AccessNotGranted
        account = str((tokens.identity or {}).get("sub", "")) or self._ids()
        new = self._vault.connected(tokens, account, scopes, self._clock())
        return self._stored(new)

    def disconnect(self) -> None:
        """Forget the tokens and end the authorisation at Google. Raises NotFound."""
        connection = self._connections.get()
        if connection is None:
            raise NotFound
        try:
            self._connections.remove(connection)
        except ConditionFailed:
            raise ChangedMeanwhile from None
        try:
            sealed = connection.refresh_token is not None
            token = (self._vault.refresh_token if sealed else self._vault.access_token)(connection)
            self._google.revoke(_CALL_SECONDS, token)
        except (Refused, OutboundFailed, Unusable, ApiError) as error:
            # Ours is gone, which is what was asked for; Google lets its own lapse.
            logger.warning("token not revoked", cause=type(error).__name__)

    def _holds(self, pending: PendingOAuth, session_id: str) -> bool:
        return (
            self._clock() < pending.expires_at
            and hmac.compare_digest(pending.session_id.encode(), session_id.encode())
            and pending.provider == self._provider.name
        )

    def _exchanged(self, code: str, pending: PendingOAuth) -> Tokens:
        try:
            verifier = self._vault.open_verifier(pending.verifier)
            return self._google.exchange(_CALL_SECONDS, code, verifier, pending.redirect_uri)
        except Unusable as error:
            raise OAuthStateInvalid(log=error.reason) from error
        except OutboundFailed as error:
            raise ProviderUnavailable(log=f"token endpoint: {error.reason}") from error
        except Refused as refused:
            if refused.reason in {"invalid_grant", "redirect_uri_mismatch"}:
                raise OAuthStateInvalid(log=f"token endpoint: {refused}") from refused
            kind = ProviderRateLimited if refused.limited else ProviderUnavailable
            raise kind(log=f"token endpoint: {refused}") from refused

    def _stored(self, new: Connection) -> Connection:
        for _ in range(_ATTEMPTS):
            old = self._connections.get()
            stored = new
            if old is not None:
                stored = replace(new, version=old.version + 1, created_at=old.created_at)
            if old is not None and old.account == new.account:
                # The same calendar: the sync goes on where it was.
                stored = replace(
                    stored, sync_token=old.sync_token, page_token=old.page_token, full=old.full,
                    refresh_token=new.refresh_token or old.refresh_token,
                )  # fmt: skip
            try:
                self._connections.put(stored)
            except ConditionFailed:
                continue
            return stored
        raise ChangedMeanwhile


def challenge_of(verifier: str) -> str:
    """The S256 code challenge (RFC 7636 4.2)."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def check_redirect(redirect_uri: str, origins: Collection[str]) -> None:
    """Raise RedirectNotAllowed unless the address lies on one of our own origins, exactly (C13)."""
    if _PLAIN_URL.fullmatch(redirect_uri) is None or "%" in redirect_uri:
        raise RedirectNotAllowed
    parts = urlsplit(redirect_uri)
    if f"{parts.scheme}://{parts.netloc}" not in origins:
        raise RedirectNotAllowed


def check_identity(identity: Mapping[str, Any] | None, provider: Provider, nonce: str) -> None:
    """Raise OAuthStateInvalid if the id_token is another issuer's, client's or attempt's."""
    if identity is None:
        return
    issuers = {provider.issuer, provider.issuer.removeprefix("https://")}
    if (
        identity.get("iss") not in issuers
        or identity.get("aud") != provider.client_id
        or identity.get("nonce") != nonce
    ):
        raise OAuthStateInvalid(log="id_token of another issuer, client or attempt")
