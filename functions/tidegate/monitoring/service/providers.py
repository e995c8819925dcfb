"""Do the configured providers of models answer (MON-1)?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

Provider = Literal["anthropic", "bedrock", "openai"]
# Those that a key or an address of the deployment opens; Bedrock needs neither.
KEYED_PROVIDERS: tuple[Provider, ...] = ("anthropic", "openai")


@dataclass(frozen=True)
class Endpoint:
    """Where a configured provider is reached."""

    provider: Provider
    url: str


class ModelsProbe(Protocol):
    """Looks at the providers of models. They are never asked for a paid answer."""

    def endpoints(self) -> tuple[Endpoint, ...]:
        """The configured ones, in the order in which inferences ask them."""

    def default_model(self) -> str | None:
        """The model that is asked where nobody chooses one."""

    def reach(self, endpoint: Endpoint) -> None:
        """Raises ServiceUnavailable where nothing answers there."""


class NoProviders:
    """ModelsProbe of a deployment without any provider."""

    def endpoints(self) -> tuple[Endpoint, ...]:
        """None."""
        return ()

    def default_model(self) -> str | None:
        """None."""
        return None

    def reach(self, endpoint: Endpoint) -> None:
        """Never called: there is no endpoint."""
