"""Settings of the onboarding functions."""

from __future__ import annotations

from pydantic import Field, ValidationInfo, field_validator
from tidegate_kit.settings import Settings


class OnboardingSettings(Settings):
    """GEN-5, the inventory's machine and bucket, and who besides CloudFormation is answered."""

    discovery_machine_arn: str = Field(pattern=r"^arn:[a-z-]+:states:")
    data_bucket: str = Field(min_length=3)
    callback_response_hosts: str = ""

    @property
    def extra_response_hosts(self) -> tuple[str, ...]:
        """Local cloud only: `host:port` that stack call-backs are answered to, besides S3."""
        return tuple(h.strip() for h in self.callback_response_hosts.split(",") if h.strip())

    @field_validator("callback_response_hosts")
    @classmethod
    def _no_extra_hosts_in_production(cls, value: str, known: ValidationInfo) -> str:
        if value and known.data.get("tidegate_env") == "production":
            raise ValueError("is for the local cloud only")
        return value
