"""The sunset of the legacy token layout (AUTH-6)."""

from __future__ import annotations

from datetime import UTC, datetime

from tidegate_kit.settings import Settings, SettingsError


def legacy_until(settings: Settings) -> datetime | None:
    """LEGACY_TOKENS_UNTIL as an instant. Raises SettingsError if it is not ISO 8601."""
    if settings.legacy_tokens_until is None:
        return None
    try:
        moment = datetime.fromisoformat(settings.legacy_tokens_until)
    except ValueError:
        raise SettingsError("unusable setting(s): LEGACY_TOKENS_UNTIL (ISO 8601)") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
