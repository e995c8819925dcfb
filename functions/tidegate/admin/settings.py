"""Settings of the admin functions."""

from __future__ import annotations

from pydantic import Field
from tidegate_kit.settings import Settings


class AdminSettings(Settings):
    """GEN-5; the API whose routes are tested; what the audit log and monitoring need."""

    http_api_id: str = Field(min_length=1)
    data_bucket: str = Field(min_length=1)
    events_dead_letter_url: str = Field(pattern=r"^https?://")
    # Deployed defaults, to show what is in force where nothing else was set.
    cross_system_targets: str = ""


class ErasureSettings(Settings):
    """What erasing needs: the bucket, and the way to open sockets."""

    data_bucket: str = Field(min_length=1)
    ws_callback_url: str = Field(pattern=r"^https?://")
