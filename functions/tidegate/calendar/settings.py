"""Settings of the calendar function."""

from __future__ import annotations

from pydantic import Field, SecretStr, field_validator
from tidegate_kit.settings import Settings

_URL = r"^https?://[^\s?#]+$"


class CalendarSettings(Settings):
    """GEN-5, and where Google is. Without a client id, connecting a calendar answers 503."""

    google_base_url: str = Field(default="https://www.googleapis.com", pattern=_URL)
    google_oauth_url: str = Field(default="https://accounts.google.com/o/oauth2/v2/auth",
                                  pattern=_URL)  # fmt: skip
    google_token_url: str = Field(default="https://oauth2.googleapis.com/token", pattern=_URL)
    google_revoke_url: str = Field(default="https://oauth2.googleapis.com/revoke", pattern=_URL)
    google_issuer: str = Field(default="https://accounts.google.com", pattern=_URL)
    google_client_id: str | None = None
    google_client_secret: SecretStr | None = None

    @field_validator("google_base_url", "google_issuer")
    @classmethod
    def _plain(cls, value: str) -> str:
        return value.rstrip("/")

    @field_validator("google_client_id", "google_client_secret", mode="before")
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        return value or None
