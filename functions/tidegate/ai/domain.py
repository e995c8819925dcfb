"""Domain objects of AI; no AWS, no storage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, Decimal
from typing import Any, Literal

Role = Literal["system", "user", "assistant"]
ProviderName = Literal["bedrock", "openai_compatible"]

# Byte-level vocabularies have no token shorter than a byte; this much is added for the marks that a
# chat template puts around each message.
_TOKENS_PER_MESSAGE = 32


@dataclass(frozen=True)
class Message:
    """One turn of a conversation. Never printed: prompts are not logged (AI-3)."""

    role: Role
    content: str = field(repr=False)


@dataclass(frozen=True)
class InferRequest:
    """What is asked. None leaves the choice to the caller's settings and the platform (AI-1).

    `timeout_seconds` bounds the whole inference with its fall-backs and its retry.
    """

    messages: tuple[Message, ...]
    model: str | None = None
    system: str | None = field(default=None, repr=False)
    max_tokens: int = 1024
    temperature: float = 0.2
    output_schema: Mapping[str, Any] | None = None
    task: str | None = None
    timeout_seconds: float = 24.0


@dataclass(frozen=True)
class Usage:
    """Tokens of one inference, of every call that it took."""

    input_tokens: int = 0
    output_tokens: int = 0

    @property
    def total_tokens(self) -> int:
        """Both together."""
        return self.input_tokens + self.output_tokens

    def plus(self, other: Usage) -> Usage:
        """The sum."""
        return Usage(
            self.input_tokens + other.input_tokens, self.output_tokens + other.output_tokens
        )


@dataclass(frozen=True)
class InferAnswer:
    """What the model said; `cost` in USD, of every call that it took."""

    id: str
    model: str
    provider: ProviderName
    text: str = field(repr=False)
    json: Any
    usage: Usage
    cost: Decimal


@dataclass(frozen=True)
class Question:
    """One call of a provider."""

    messages: tuple[Message, ...]
    system: str | None = field(repr=False)
    max_tokens: int
    temperature: float

    @property
    def input_bound(self) -> int:
        """More tokens than any tokeniser can make of it: bytes, and marks around messages."""
        texts = [message.content for message in self.messages] + [self.system or ""]
        octets = sum(len(text.encode()) for text in texts)
        return octets + _TOKENS_PER_MESSAGE * (len(texts) + 1)


@dataclass(frozen=True)
class Reply:
    """A provider's answer. `usage` None: the provider did not count."""

    text: str = field(repr=False)
    usage: Usage | None


@dataclass(frozen=True)
class Price:
    """USD for a million tokens."""

    input: Decimal
    output: Decimal

    def cost(self, usage: Usage) -> int:
        """Billionths of a dollar, rounded up."""
        exact = (self.input * usage.input_tokens + self.output * usage.output_tokens) * 1000
        return int(exact.to_integral_value(rounding=ROUND_CEILING))


@dataclass(frozen=True)
class Route:
    """A model at one provider."""

    provider: ProviderName
    model_id: str
    price: Price


@dataclass(frozen=True)
class Model:
    """A model by the name that callers use, and where it is to be had, in order."""

    name: str
    routes: tuple[Route, ...]


@dataclass(frozen=True)
class UsageRow:
    """Calls of one user to one model on one day (ISO date, UTC); cost in billionths."""

    day: str
    user_id: str
    model: str
    requests: int
    usage: Usage
    cost: int
