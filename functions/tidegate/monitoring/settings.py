"""Settings of the monitoring function."""

from __future__ import annotations

from pydantic import Field
from tidegate_kit.settings import Settings


class MonitoringSettings(Settings):
    """GEN-5, the queue whose state health tells, and the providers of models."""

    events_dead_letter_url: str = Field(pattern=r"^https?://")
    # As AI's own functions have them; empty means that this function looks at no provider.
    ai_providers: str = ""


class CountingSettings(Settings):
    """What counts, and what looks at the certificate, needs nothing beyond the common settings."""
