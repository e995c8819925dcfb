"""Google's authorisation and token endpoints: PKCE, single-use codes, refresh, revocation."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.fakes.google_calendar.problems import ApiProblem, OAuthProblem


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def challenge(verifier: str) -> str:
    """The S256 challenge of a verifier (RFC 7636 4.2)."""
    return _b64(hashlib.sha256(verifier.encode()).digest())


def proves(verifier: str, asked: str) -> bool:
    """Whether a verifier answers a challenge (RFC 7636 4.6)."""
    return challenge(verifier) == asked


@dataclass
class Authorization:
    """The server. rotating: a refresh gives a new refresh token and ends the one before."""

    now: Callable[[], datetime]
    client_id: str
    client_secret: str
    issuer: str
    account: str
    rotating: bool = False
    lifetime: int = 3600
    tells_identity: bool = True
    granted: tuple[str, ...] | None = None
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    access: dict[str, datetime] = field(default_factory=dict)
    refresh: dict[str, str] = field(default_factory=dict)
    families: dict[str, set[str]] = field(default_factory=dict)
    issued: int = 0
    refreshes: int = 0

    def consent(self, authorization_url: str) -> tuple[str, str]:
        """A user agrees at the address that the product gave: (code, state)."""
        query = {
            name: values[0] for name, values in parse_qs(urlsplit(authorization_url).query).items()
        }
        assert query["response_type"] == "code"
        assert query["code_challenge_method"] == "S256"
        assert query["client_id"] == self.client_id
        self.issued += 1
        code = f"4/code-{self.issued}"
        self.codes[code] = query
        return code, query["state"]

    def token(self, form: dict[str, str]) -> dict[str, Any]:
        """POST /token."""
        if (form.get("client_id"), form.get("client_secret")) != (
            self.client_id, self.client_secret,
        ):  # fmt: skip
            raise OAuthProblem("invalid_client", 401)
        if form.get("grant_type") == "authorization_code":
            return self._by_code(form)
        if form.get("grant_type") == "refresh_token":
            return self._by_refresh(form)
        raise OAuthProblem("unsupported_grant_type")

    def revoke(self, token: str) -> None:
        """POST /revoke: the whole grant ends."""
        if token not in self.refresh and token not in self.access:
            raise OAuthProblem("invalid_token")
        self.end_grants()

    def end_grants(self) -> None:
        """The user withdrew access in his account."""
        self.access.clear()
        self.refresh.clear()

    def expire_access(self) -> None:
        """Every access token is over at Google, whatever the product believes."""
        self.access.clear()

    def check(self, authorization: str) -> None:
        """Raise 401 unless the header holds a living access token."""
        token = authorization.removeprefix("Bearer ")
        if self.access.get(token, self.now()) <= self.now():
            raise ApiProblem(401, "authError")

    def _by_code(self, form: dict[str, str]) -> dict[str, Any]:
        asked = self.codes.pop(form.get("code", ""), None)
        if asked is None:
            raise OAuthProblem("invalid_grant")
        if asked["redirect_uri"] != form.get("redirect_uri"):
            raise OAuthProblem("redirect_uri_mismatch")
        if not proves(form.get("code_verifier", ""), asked["code_challenge"]):
            raise OAuthProblem("invalid_grant")
        scopes = self.granted if self.granted is not None else tuple(asked["scope"].split())
        answer = {**self._access(), "scope": " ".join(scopes), "refresh_token": self._refresh()}
        if self.tells_identity:
            answer["id_token"] = self._identity(asked.get("nonce", ""))
        return answer

    def _by_refresh(self, form: dict[str, str]) -> dict[str, Any]:
        self.refreshes += 1
        token = form.get("refresh_token", "")
        if token not in self.refresh:
            raise OAuthProblem("invalid_grant")
        answer = self._access()
        if self.rotating:
            del self.refresh[token]
            answer["refresh_token"] = self._refresh()
        return answer

    def _access(self) -> dict[str, Any]:
        self.issued += 1
        token = f"ya29.access-canary-{self.issued}"
        self.access[token] = self.now() + timedelta(seconds=self.lifetime)
        return {"access_token": token, "expires_in": self.lifetime, "token_type": "Bearer"}

    def _refresh(self) -> str:
        self.issued += 1
        token = f"1//refresh-canary-{self.issued}"
        self.refresh[token] = self.account
        return token

    def _identity(self, nonce: str) -> str:
        claims = {
            "iss": self.issuer,
            "aud": self.client_id,
            "sub": self.account,
            "nonce": nonce,
            "exp": int((self.now() + timedelta(hours=1)).timestamp()),
        }
        parts = ({"alg": "RS256", "typ": "JWT"}, claims)
        signed = ".".join(_b64(json.dumps(part).encode()) for part in parts)
        return f"{signed}.{_b64(b'signature')}"
