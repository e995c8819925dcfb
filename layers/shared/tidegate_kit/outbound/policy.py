"""What the deployment allows, from its settings."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from tidegate_kit.settings import Settings


@dataclass(frozen=True)
class OutboundPolicy:
    """`own`: our own (host, port) pairs, refused as targets (F12)."""

    development: bool
    own: frozenset[tuple[str, int]] = frozenset()
    user_agent: str = "Tidegate"

    @classmethod
    def of(cls, settings: Settings) -> OutboundPolicy:
        """The policy of this deployment."""
        return cls(
            development=settings.tidegate_env == "development",
            own=frozenset({_pair(settings.public_base_url), _pair(settings.ws_url)}),
            user_agent=f"Tidegate/{settings.tidegate_version}",
        )


def _pair(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    default = 443 if parts.scheme in {"https", "wss"} else 80
    return (parts.hostname or "").lower(), parts.port or default
