"""Settings of the monitoring function."""

from __future__ import annotations

from pydantic import Field
from tidegate_kit.settings import Settings


class MonitoringSettings(Settings):
    """GEN-5, and the queue whose state health tells."""

    events_dead_letter_url: str = Field(pattern=r"^https?://")


class CountingSettings(Settings):
    """What counts, and what looks at the certificate, needs nothing beyond the common settings."""
