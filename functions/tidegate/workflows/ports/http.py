"""Outbound requests of http nodes through the one SSRF-safe client (INT-7)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlencode, urlsplit, urlunsplit

from tidegate_kit.crypto import SealBroken
from tidegate_kit.errors import ServiceUnavailable
from tidegate_kit.outbound import OutboundAnswer, OutboundClient, OutboundFailed, OutboundRefused

from tidegate.integrations import public as integrations
from tidegate.workflows.nodes import StepError
from tidegate.workflows.nodes.ports import HttpAnswer, HttpRequest
from tidegate.workflows.ports.journal import Journal
from tidegate.workflows.templating import redact

_MAX_ANSWER: Final = 1024 * 1024
_RETRYABLE: Final = frozenset({"resolve", "connect", "timeout", "protocol"})
_SAFE: Final = frozenset({"GET", "HEAD"})


class _NotTaken(StepError):
    """The target said that it did not take the request, so it may be sent again."""

    def __init__(self, answer: HttpAnswer) -> None:
        self.answer = answer
        super().__init__("NOT_TAKEN", "The target did not take the request.")


# The credential of an account, by its id, for an address.
Credentials = Callable[[str, str], integrations.Credential]


class OutboundHttp:
    """HttpClient of one step."""

    def __init__(self, client: OutboundClient, journal: Journal, credential: Credentials) -> None:
        self._client = client
        self._journal = journal
        self._credential = credential

    def call(self, request: HttpRequest, *, effect_key: str) -> HttpAnswer:
        """Send the request; one that changes something is sent once and carries its key."""
        if request.method in _SAFE:
            return self._send(request, {})
        try:
            kept = self._journal.once(lambda: self._effect(request, effect_key))
        except _NotTaken as refused:
            return refused.answer
        return HttpAnswer(kept["status"], kept["headers"], kept["body"])

    def _effect(self, request: HttpRequest, effect_key: str) -> dict[str, Any]:
        answer = self._send(request, {"Idempotency-Key": effect_key})
        if answer.status == 429 or answer.status >= 500:
            raise _NotTaken(answer)
        return {"status": answer.status, "headers": answer.headers, "body": answer.body}

    def _send(self, request: HttpRequest, extra: Mapping[str, str]) -> HttpAnswer:
        headers = dict(request.headers)
        body = _body(request.body, headers)
        plain, secret = self._headers(headers)
        url = _url(request.url, request.query)
        hidden: set[str] = set()
        if request.account_id is not None:
            found = self._found(request.account_id, url)
            secret[found.name] = found.value
            hidden.add(found.secret)
        try:
            answer = self._client.request(
                request.method,
                url,
                headers={**extra, **plain},
                secret_headers=secret,
                body=body,
                timeout=float(request.timeout_seconds),
                max_bytes=_MAX_ANSWER,
                allow_local=True,
            )
        except OutboundRefused as error:
            raise StepError("ADDRESS_REFUSED", f"The request {error.reason}.") from error
        except OutboundFailed as error:
            retryable = error.reason in _RETRYABLE
            text = f"The request failed: {error.reason}."
            raise StepError("REQUEST_FAILED", text, retryable=retryable) from error
        # What echoes the account's key hands none of it on, nor keeps it (E21).
        shown = redact(_headers(answer), hidden), redact(_content(answer), hidden)
        return HttpAnswer(answer.status, *shown)

    def _found(self, account_id: str, url: str) -> integrations.Credential:
        try:
            return self._credential(account_id, url)
        except SealBroken as error:
            text = "The account's configuration does not open. Store it again."
            raise StepError("ACCOUNT_REFUSED", text) from error
        except integrations.ChannelError as error:
            raise StepError(error.code, error.message, retryable=error.retryable) from error
        except ServiceUnavailable as error:
            raise StepError(error.code, error.message, retryable=True) from error

    def _headers(self, headers: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
        """(set by the user, made from a declared secret): only the latter may authorise (F13)."""
        plain: dict[str, str] = {}
        secret: dict[str, str] = {}
        for name, value in headers.items():
            held = any(one and one in value for one in self._journal.secrets)
            (secret if held else plain)[name] = value
        return plain, secret


def _url(url: str, query: Mapping[str, Any]) -> str:
    if not query:
        return url
    parts = urlsplit(url)
    pairs = [
        (name, one if isinstance(one, str) else json.dumps(one))
        for name, value in query.items()
        for one in (value if isinstance(value, list) else [value])
    ]
    joined = "&".join(part for part in (parts.query, urlencode(pairs)) if part)
    return urlunsplit(parts._replace(query=joined))


def _body(body: Any, headers: dict[str, str]) -> bytes:
    if body is None:
        return b""
    if isinstance(body, str):
        return body.encode()
    if not any(name.lower() == "content-type" for name in headers):
        headers["Content-Type"] = "application/json"
    return json.dumps(body, ensure_ascii=False).encode()


def _headers(answer: OutboundAnswer) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name != "set-cookie"}


def _content(answer: OutboundAnswer) -> Any:
    text = answer.body.decode("utf-8", "replace")
    if "json" not in answer.headers.get("content-type", ""):
        return text
    try:
        return json.loads(text, parse_constant=lambda name: None)
    except (ValueError, RecursionError):
        return text
