"""Settings of the integrations functions."""

from __future__ import annotations

from pydantic import Field, field_validator
from tidegate_kit.settings import Settings

_URL = r"^https?://[^\s?#]+$"


class ChannelSettings(Settings):
    """GEN-5, and where messages go out."""

    mail_from: str | None = None
    # A configuration set that publishes "Email Sent" events to the default bus.
    mail_configuration_set: str | None = None
    twitter_base_url: str = Field(default="https://api.x.com", pattern=_URL)
    instagram_base_url: str = Field(default="https://graph.instagram.com/v24.0", pattern=_URL)

    @field_validator("mail_from", "mail_configuration_set")
    @classmethod
    def _empty_is_none(cls, value: str | None) -> str | None:
        return value or None

    @field_validator("twitter_base_url", "instagram_base_url")
    @classmethod
    def _plain(cls, value: str) -> str:
        return value.rstrip("/")


class IntegrationsSettings(ChannelSettings):
    """What the HTTP function needs, which also stores executions."""

    data_bucket: str = Field(min_length=3)


class WebhookStarterSettings(Settings):
    """What the function needs that starts the machines of deliveries."""

    webhook_machine_arn: str = Field(pattern=r"^arn:[a-z-]+:states:")


class WebhookOutcomeSettings(Settings):
    """What the functions need that read outcomes of executions (WF-13)."""

    data_bucket: str = Field(min_length=3)
