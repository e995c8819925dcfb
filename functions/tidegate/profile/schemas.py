"""Requests and answers of contract 2.2."""

from __future__ import annotations

import unicodedata
from typing import Annotated, Any

from pydantic import AfterValidator, StringConstraints
from tidegate_kit.http import Text, Timestamp

from tidegate.identity.public import canonical_username
from tidegate.profile.fields import OwnProfile, OwnSettings, optional_of


def _username(value: str) -> str:
    canonical_username(value)
    return unicodedata.normalize("NFKC", value.strip())


Username = Annotated[str, StringConstraints(max_length=200), AfterValidator(_username)]
_Name = Annotated[Text, StringConstraints(min_length=1, max_length=200)]
_names: dict[str, Any] = {
    "username": (Username | None, None),
    "first_name": (_Name | None, None),
    "last_name": (_Name | None, None),
}
ProfileChange = optional_of("ProfileData", OwnProfile, **_names)
SettingsChange = optional_of("UserSettingsChange", OwnSettings)


class Profile(OwnProfile):
    """The answer of GET and PUT /v1/profile."""

    user_id: str
    email: str
    username: str | None
    first_name: str
    last_name: str
    company: str
    created_at: Timestamp | None
    updated_at: Timestamp | None


class UserSettings(OwnSettings):
    """The answer of GET and PUT /v1/settings."""

    updated_at: Timestamp | None
