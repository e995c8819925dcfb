"""The sunset of the legacy token layout (AUTH-6)."""

from __future__ import annotations

from datetime import UTC, datetime

from tidegate_kit.auth.tokens import LegacyPolicy
from tidegate_kit.clock import Clock
from tidegate_kit.runtime_config import RuntimeConfig
from tidegate_kit.settings import Settings, SettingsError


def legacy_until(settings: Settings) -> datetime | None:
    """LEGACY_TOKENS_UNTIL as an instant. Raises SettingsError if it is not ISO 8601."""
    if settings.legacy_tokens_until is None:
        return None
    try:
        return _instant(settings.legacy_tokens_until)
    except ValueError:
        raise SettingsError("unusable setting(s): LEGACY_TOKENS_UNTIL (ISO 8601)") from None


def _instant(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


class RuntimeLegacyPolicy(LegacyPolicy):
    """The policy of the settings, unless an administrator has set another.

    The store is asked only when somebody presents such a token.
    """

    def __init__(self, settings: Settings, clock: Clock) -> None:
        super().__init__(settings.legacy_tokens_enabled, legacy_until(settings))
        object.__setattr__(self, "_config", RuntimeConfig(clock))  # the base is frozen

    def accepts(self, now: datetime) -> bool:
        """True while legacy tokens pass. Raises ServiceUnavailable."""
        config: RuntimeConfig = vars(self)["_config"]
        values = config.current()
        until = values.get("legacy_tokens_until", None)
        policy = LegacyPolicy(
            bool(values.get("legacy_tokens_enabled", self.enabled)),
            _instant(until) if until is not None else self.until,
        )
        return policy.accepts(now)
