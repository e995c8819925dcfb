"""What other domains may use of events."""

from __future__ import annotations

from tidegate.events.domain import EVENT_TYPES

__all__ = ["EVENT_TYPES"]
