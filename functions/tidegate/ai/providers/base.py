"""What every provider offers, and how it fails."""

from __future__ import annotations

from typing import Literal, Protocol

from tidegate.ai.domain import Question, Reply

FailureKind = Literal["rate_limited", "unavailable", "refused", "timeout", "unreadable"]


class ProviderFailed(Exception):
    """A provider gave no usable answer. `detail` is for the log: codes only, never its text.

    Where the question may have been worked on (`charged`) its worst case counts as spent.
    """

    def __init__(self, kind: FailureKind, detail: str) -> None:
        self.kind = kind
        self.detail = detail
        super().__init__(f"{kind}: {detail}")

    @property
    def charged(self) -> bool:
        """True when the provider may count the call: it was taken, the answer did not come."""
        return self.kind in ("timeout", "unreadable")


class ModelProvider(Protocol):
    """Asks models of one provider."""

    @property
    def available(self) -> bool:
        """True when the provider is configured."""

    def ask(self, model_id: str, question: Question, timeout: float) -> Reply:
        """One answer, whole (no streaming), within `timeout` seconds. Raises ProviderFailed."""
