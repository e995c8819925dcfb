"""One attempt over HTTP, and what it says of the delivery."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from tidegate_kit.outbound import OutboundClient, OutboundFailed, OutboundRefused
from tidegate_kit.webhooks import signed_headers

from tidegate.integrations.webhooks.domain import ATTEMPT_SECONDS, GONE, Try, retry_after

_ANSWER_BYTES = 1024  # the answer's body is read no further and kept nowhere (F20)


@dataclass(frozen=True)
class Outcome:
    """What an attempt came to. `wait`: what the receiver asks for."""

    tried: Try
    delivered: bool = False
    gone: bool = False
    wait: timedelta | None = None


@dataclass(frozen=True)
class Letter:
    """What is sent: the id stays over all attempts, the secrets are those of this moment."""

    id: str
    url: str
    body: bytes
    secrets: Sequence[str]


class Sender(Protocol):
    """Sends letters."""

    def send(self, letter: Letter, now: datetime) -> Outcome:
        """One attempt; every failure of the receiver is an outcome, not an error."""


class HttpSender:
    """Sender on the SSRF-safe client. Follows no redirect (F6)."""

    def __init__(self, client: OutboundClient, timer: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._timer = timer

    def send(self, letter: Letter, now: datetime) -> Outcome:
        """One attempt of at most 15 s (INT-6)."""
        headers = {
            "content-type": "application/json",
            **signed_headers(letter.secrets, letter.id, now, letter.body),
        }
        started = self._timer()

        def tried(status: int | None, error: str | None) -> Try:
            return Try(now, status, error, round(1000 * (self._timer() - started)))

        try:
            answer = self._client.request(
                "POST", letter.url, headers=headers, body=letter.body, timeout=ATTEMPT_SECONDS,
                max_bytes=_ANSWER_BYTES, excess="cut", allow_local=True,
            )  # fmt: skip
        except OutboundRefused as refused:
            return Outcome(tried(None, f"refused: the address {refused.reason}"))
        except OutboundFailed as failed:
            status = failed.target_status
            # An answer was read; only its body, which nobody looks at, is of a strange kind.
            delivered = failed.reason == "encoding" and status is not None and _is_success(status)
            return Outcome(tried(status, None if delivered else failed.reason), delivered)
        if _is_success(answer.status):
            return Outcome(tried(answer.status, None), delivered=True)
        wait = retry_after(answer.status, answer.headers.get("retry-after"), now)
        return Outcome(
            tried(answer.status, f"status {answer.status}"), gone=answer.status == GONE, wait=wait
        )


def _is_success(status: int) -> bool:
    return 200 <= status < 300
