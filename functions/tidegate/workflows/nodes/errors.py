"""The one exception by which a step fails."""

from __future__ import annotations


class StepError(Exception):
    """A step failed. `retryable` is true for time-outs, throttling, 429, 5xx and network (WF-6).

    `message` is shown to the tenant; it names places, never secrets.
    """

    def __init__(self, code: str, message: str, *, retryable: bool = False) -> None:
        self.code = code
        self.message = message
        self.retryable = retryable
        super().__init__(f"{code}: {message}")
