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
    """What the stream consumer needs to tell progress."""

    data_bucket: str = Field(min_length=3)
