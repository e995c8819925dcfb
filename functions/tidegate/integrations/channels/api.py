"""JSON over the SSRF-safe client, with errors told apart by whether the provider took the call."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from tidegate_kit.outbound import OutboundClient, OutboundFailed, OutboundRefused

from tidegate.integrations.channels.base import ChannelError

# A call must be over before a sending is taken over by another try (see messages.LEASE).
CALL_SECONDS: Final = 15.0
_MAX_ANSWER: Final = 1024 * 1024
# Where these stop a call, the provider has seen nothing of it.
_BEFORE_SENDING: Final = frozenset({"resolve", "connect", "tls"})


@dataclass(frozen=True)
class Answer:
    """Status and JSON object of an answer ({} where it is no object)."""

    status: int
    data: dict[str, Any]


@dataclass(frozen=True)
class JsonApi:
    """A provider's API at `base_url`, called with a bearer token."""

    client: OutboundClient
    base_url: str
    token: str

    def get(self, path: str, query: Mapping[str, str] | None = None) -> Answer:
        """A read: every failure may be tried again."""
        return self._call("GET", path, query or {}, None)

    def post(self, path: str, body: Mapping[str, Any]) -> Answer:
        """A change: a failure after the call began is uncertain."""
        return self._call("POST", path, {}, body)

    def _call(
        self, method: str, path: str, query: Mapping[str, str], body: Mapping[str, Any] | None
    ) -> Answer:
        url = self.base_url + path + (f"?{urlencode(query)}" if query else "")
        headers = {"Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            answer = self.client.request(
                method, url, headers=headers,
                secret_headers={"Authorization": f"Bearer {self.token}"},
                body=b"" if body is None else json.dumps(body, ensure_ascii=False).encode(),
                timeout=CALL_SECONDS, max_bytes=_MAX_ANSWER, allow_local=True,
            )  # fmt: skip
        except OutboundRefused as error:
            raise ChannelError("ADDRESS_REFUSED", "The provider's address is refused.") from error
        except OutboundFailed as error:
            text = f"The provider gave no usable answer: {error.reason}."
            uncertain = method != "GET" and error.reason not in _BEFORE_SENDING
            raise ChannelError(
                "PROVIDER_UNAVAILABLE", text, retryable=True, uncertain=uncertain
            ) from error
        if answer.status >= 500:
            text = f"The provider failed with status {answer.status}."
            raise ChannelError(
                "PROVIDER_UNAVAILABLE", text, retryable=True, uncertain=method != "GET"
            )
        return Answer(answer.status, _object(answer.body))


def _object(body: bytes) -> dict[str, Any]:
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def text_at(data: Any, *path: str) -> str:
    """The text at a path of a foreign answer, "" where there is none."""
    for name in path:
        data = data.get(name) if isinstance(data, dict) else None
    return data if isinstance(data, str) else ""


def rows_at(data: Any, *path: str) -> list[dict[str, Any]]:
    """The objects of a list at a path of a foreign answer."""
    for name in path:
        data = data.get(name) if isinstance(data, dict) else None
    return [row for row in data if isinstance(row, dict)] if isinstance(data, list) else []


RATE_LIMITED: Final = "The provider asks for patience."
REFUSED_CREDENTIALS: Final = "The provider refuses the account's credentials."
