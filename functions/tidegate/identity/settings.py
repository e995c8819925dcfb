"""Settings of the identity functions."""

from __future__ import annotations

import json

from pydantic import Field, field_validator
from tidegate_kit.settings import Settings

_BUILT_IN_TARGETS = {
    "analytics": ["metrics:read", "finding:read"],
    "automation": ["workflow:read", "workflow:execute"],
}


class IdentitySettings(Settings):
    """GEN-5, and what login, tokens and mails may be tuned by."""

    # The one place that says how long an access token lives (AUTH-5, A28), in seconds.
    access_token_seconds: int = Field(default=1800, ge=60, le=3600)
    # {target: [permissions]} as JSON (AUTH-14).
    cross_system_targets: str = json.dumps(_BUILT_IN_TARGETS)
    # bcrypt cost of imported old hashes; 0 says that none are stored, so failures cost less (C1).
    legacy_bcrypt_cost: int = Field(default=12, ge=0, le=16)
    # Verified SES sender; None sends no mail and says so in the log.
    mail_from: str | None = None

    @field_validator("mail_from")
    @classmethod
    def _empty_sender_is_unset(cls, value: str | None) -> str | None:
        return value or None

    @field_validator("cross_system_targets")
    @classmethod
    def _targets_are_lists(cls, value: str) -> str:
        value = value or json.dumps(_BUILT_IN_TARGETS)
        parse_targets(value)
        return value

    @property
    def targets(self) -> dict[str, frozenset[str]]:
        """Which permissions each other system may be given."""
        return parse_targets(self.cross_system_targets)


def parse_targets(text: str) -> dict[str, frozenset[str]]:
    """{target: permissions} of a JSON text. Raises ValueError."""
    data = json.loads(text)
    if not isinstance(data, dict) or not all(
        isinstance(names, list) and all(isinstance(name, str) for name in names)
        for names in data.values()
    ):
        raise ValueError("must be a JSON object of lists of permissions")
    return {target: frozenset(names) for target, names in data.items()}
