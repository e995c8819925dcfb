"""Calls of the Google Calendar API and of Google's OAuth endpoints, one method each.

Sources: Google Calendar API v3 (Events: list, insert, get, patch, delete, instances; "Handle API
errors"; "Synchronize resources efficiently"), RFC 6749, RFC 7636, OpenID Connect Core 3.1.3.7.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from tidegate_kit.outbound import OutboundAnswer, OutboundClient, OutboundFailed

PAGE_SIZE = 250
MAX_ANSWER_BYTES = 8 * 1024 * 1024
_LIMIT_REASONS = frozenset(
    {"rateLimitExceeded", "userRateLimitExceeded", "quotaExceeded", "dailyLimitExceeded"}
)
_CONSENT_REASONS = frozenset(
    {"insufficientPermissions", "ACCESS_TOKEN_SCOPE_INSUFFICIENT", "authError"}
)


class Refused(Exception):
    """Google answered with an error."""

    def __init__(self, status: int, reason: str, retry_after: float | None = None) -> None:
        self.status = status
        self.reason = reason
        self.retry_after = retry_after
        super().__init__(f"{status} {reason}")

    @property
    def limited(self) -> bool:
        """A limit of Google's: 429, or 403 with a reason that is one."""
        return self.status == 429 or (self.status == 403 and self.reason in _LIMIT_REASONS)

    @property
    def passing(self) -> bool:
        """Worth another try."""
        return self.limited or self.status in {408, 500, 502, 503, 504}

    @property
    def consent(self) -> bool:
        """The user must connect again: the token is not accepted, or does not reach far enough."""
        return self.status == 401 or (self.status == 403 and self.reason in _CONSENT_REASONS)


@dataclass(frozen=True)
class Tokens:
    """Answer of the token endpoint. `identity`: the claims of the id_token, if there is one."""

    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    expires_in: float
    scopes: tuple[str, ...] | None
    identity: Mapping[str, Any] | None


@dataclass(frozen=True)
class Page:
    """A page of events.list."""

    items: list[Any]
    zone: str
    next_page: str | None
    next_sync: str | None


@dataclass(frozen=True)
class GoogleClient:
    """HTTP of one Google; `outbound` checks addresses and keeps to the caps."""

    outbound: OutboundClient
    base_url: str
    token_url: str
    revoke_url: str
    client_id: str
    client_secret: str = field(repr=False)

    def page(self, token: str, timeout: float, *, sync: str | None, page: str | None) -> Page:
        """events.list: of everything, or of what changed since a sync token."""
        query = {"maxResults": str(PAGE_SIZE)}
        if sync is not None:
            query["syncToken"] = sync
        if page is not None:
            query["pageToken"] = page
        body = self._api("GET", "", token, timeout, query=query)
        items = body.get("items", [])
        if not isinstance(items, list):
            raise Refused(502, "malformed")
        return Page(
            items,
            str(body.get("timeZone", "UTC")),
            body.get("nextPageToken"),
            body.get("nextSyncToken"),
        )

    def get(self, token: str, timeout: float, event_id: str) -> dict[str, Any]:
        """events.get."""
        return self._api("GET", _path(event_id), token, timeout)

    def insert(self, token: str, timeout: float, resource: dict[str, Any]) -> dict[str, Any]:
        """events.insert; a resource with an `id` that exists is refused with 409."""
        return self._api("POST", "", token, timeout, query=_QUIET, resource=resource)

    def patch(
        self, token: str, timeout: float, event_id: str, resource: dict[str, Any], etag: str
    ) -> dict[str, Any]:
        """events.patch, only over the version `etag` (412 otherwise)."""
        return self._api(
            "PATCH", _path(event_id), token, timeout, query=_QUIET, resource=resource, etag=etag
        )

    def delete(self, token: str, timeout: float, event_id: str, etag: str) -> None:
        """events.delete, only of the version `etag` (412 otherwise; empty: any)."""
        self._api("DELETE", _path(event_id), token, timeout, query=_QUIET, etag=etag)

    def instance(
        self, token: str, timeout: float, series: str, original_start: str
    ) -> dict[str, Any] | None:
        """events.instances: one occurrence of a series by its original start (RFC 3339)."""
        query = {"originalStart": original_start, "maxResults": "1", "showDeleted": "true"}
        body = self._api("GET", f"{_path(series)}/instances", token, timeout, query=query)
        items: list[dict[str, Any]] = body.get("items", [])
        return items[0] if items else None

    def exchange(self, timeout: float, code: str, verifier: str, redirect_uri: str) -> Tokens:
        """An authorisation code for tokens (RFC 6749 4.1.3, RFC 7636 4.5)."""
        return self._tokens(
            timeout,
            grant_type="authorization_code",
            code=code,
            code_verifier=verifier,
            redirect_uri=redirect_uri,
        )

    def refresh(self, timeout: float, refresh_token: str) -> Tokens:
        """A refresh token for a new access token (RFC 6749 6)."""
        return self._tokens(timeout, grant_type="refresh_token", refresh_token=refresh_token)

    def revoke(self, timeout: float, token: str) -> None:
        """End an authorisation (RFC 7009)."""
        self._form(self.revoke_url, timeout, {"token": token})

    def _tokens(self, timeout: float, **fields: str) -> Tokens:
        own = {"client_id": self.client_id, "client_secret": self.client_secret}
        body = self._form(self.token_url, timeout, {**own, **fields})
        access, expires = body.get("access_token"), body.get("expires_in", 3600)
        if not isinstance(access, str) or not access or not isinstance(expires, int | float):
            raise Refused(502, "malformed")
        scope = body.get("scope")
        return Tokens(
            access,
            body.get("refresh_token"),
            float(expires),
            tuple(scope.split()) if isinstance(scope, str) else None,
            _claims(body.get("id_token")),
        )

    def _form(self, url: str, timeout: float, fields: Mapping[str, str]) -> dict[str, Any]:
        answer = self.outbound.request(
            "POST",
            url,
            headers={"content-type": "application/x-www-form-urlencoded"},
            body=urlencode(fields).encode(),
            timeout=timeout,
            allow_local=True,
        )
        return _body(answer)

    def _api(
        self,
        method: str,
        path: str,
        token: str,
        timeout: float,
        *,
        query: Mapping[str, str] | None = None,
        resource: dict[str, Any] | None = None,
        etag: str = "",
    ) -> dict[str, Any]:
        url = f"{self.base_url}/calendar/v3/calendars/primary/events{path}"
        headers = {"accept": "application/json"}
        if resource is not None:
            headers["content-type"] = "application/json; charset=utf-8"
        if etag:
            headers["if-match"] = etag
        answer = self.outbound.request(
            method,
            f"{url}?{urlencode(query)}" if query else url,
            headers=headers,
            secret_headers={"authorization": f"Bearer {token}"},
            body=json.dumps(resource).encode() if resource is not None else b"",
            timeout=timeout,
            max_bytes=MAX_ANSWER_BYTES,
            allow_local=True,
        )
        return _body(answer)


_QUIET = {"sendUpdates": "none"}  # guests are told by whoever invites them, not by a sync


def _path(event_id: str) -> str:
    return f"/{quote(event_id, safe='')}"


def _body(answer: OutboundAnswer) -> dict[str, Any]:
    if answer.status == 204 or (answer.status == 200 and not answer.body):
        return {}
    try:
        body = json.loads(answer.body)
    except ValueError:
        body = None
    if 200 <= answer.status < 300 and isinstance(body, dict):
        return body
    status = answer.status if answer.status >= 400 else 502
    raise Refused(status, _reason(body), _retry_after(answer))


def _reason(body: Any) -> str:
    """The machine-readable reason of an error body, of the API's or of the OAuth form."""
    error = body.get("error") if isinstance(body, dict) else None
    if isinstance(error, str):
        return error[:100]
    if isinstance(error, dict):
        errors = error.get("errors")
        if isinstance(errors, list) and errors and isinstance(errors[0], dict):
            return str(errors[0].get("reason", ""))[:100]
        return str(error.get("status", ""))[:100]
    return "malformed"


def _retry_after(answer: OutboundAnswer) -> float | None:
    text = answer.headers.get("retry-after", "")
    return float(text) if text.isascii() and text.isdigit() and len(text) < 7 else None


def _claims(id_token: Any) -> dict[str, Any] | None:
    """The claims of an id_token that came from the token endpoint itself.

    TLS to that endpoint stands for its signature (OpenID Connect Core 3.1.3.7, point 6).
    """
    if not isinstance(id_token, str):
        return None
    from tidegate_kit.auth.tokens import b64url_decode

    try:
        claims = json.loads(b64url_decode(id_token.split(".")[1]))
    except (ValueError, IndexError):
        raise Refused(502, "malformed id_token") from None
    if not isinstance(claims, dict):
        raise Refused(502, "malformed id_token")
    return claims


__all__ = ["GoogleClient", "OutboundFailed", "Page", "Refused", "Tokens"]
