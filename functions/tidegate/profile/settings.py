"""Settings of the profile function."""

from __future__ import annotations

from tidegate_kit.settings import Settings


class ProfileSettings(Settings):
    """Nothing beyond the common settings."""
