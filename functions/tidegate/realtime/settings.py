"""Settings of the realtime functions."""

from __future__ import annotations

from pydantic import Field
from tidegate_kit.settings import Settings


class RealtimeSettings(Settings):
    """The ticket route needs nothing beyond the common settings."""


class SocketSettings(Settings):
    """What the functions need that write to sockets."""

    ws_callback_url: str = Field(pattern=r"^https?://")


class FeedSettings(Settings):
    """What the stream consumer needs to tell progress, and to publish what follows besides."""

    data_bucket: str = Field(min_length=3)
    event_bus_name: str = Field(min_length=1)
