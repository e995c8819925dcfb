"""How an outbound call ends when it does not end with an answer."""

from __future__ import annotations

from typing import Literal

from tidegate_kit.errors import Detail, ServiceUnavailable, Unprocessable

FailureReason = Literal[
    "resolve", "connect", "tls", "timeout", "redirect", "too_large", "encoding", "protocol"
]


class OutboundRefused(Unprocessable):
    """We do not make this call: nothing was sent. 422; `reason` says why without quoting it."""

    message = "This address or request is not allowed for outbound calls."

    def __init__(self, reason: str, field: str = "url", *, log: str = "") -> None:
        self.reason = reason
        super().__init__(details=[Detail(field, reason)], log=log)


class OutboundFailed(ServiceUnavailable):
    """The call was made or tried and gave no usable answer. 503 where nobody catches it.

    `reason` is one of a fixed set; `status` is the target's status where one was read.
    """

    code = "PROVIDER_UNAVAILABLE"
    message = "The called address gave no usable answer."

    def __init__(self, reason: FailureReason, *, status: int | None = None, log: str = "") -> None:
        self.reason: FailureReason = reason
        self.target_status = status
        super().__init__(log=log or reason)
