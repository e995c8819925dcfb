"""Settings of the integrations function."""

from __future__ import annotations

from tidegate_kit.settings import Settings


class IntegrationsSettings(Settings):
    """What every function needs (GEN-5)."""
