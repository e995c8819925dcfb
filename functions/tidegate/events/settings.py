"""Settings of the events function."""

from __future__ import annotations

from pydantic import Field
from tidegate_kit.settings import Settings


class EventsSettings(Settings):
    """GEN-5, and the bus that events go to."""

    event_bus_name: str = Field(min_length=1)


class DeadLetterSettings(EventsSettings):
    """Besides, where dead letters are kept once they have been told of."""

    dead_letter_archive_url: str = Field(pattern=r"^https?://")
