"""Settings of the onboarding functions."""

from __future__ import annotations

from pydantic import Field, model_validator
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

    @model_validator(mode="after")
    def _no_extra_hosts_in_production(self) -> OnboardingSettings:
        if self.tidegate_env == "production" and self.extra_response_hosts:
            raise ValueError("CALLBACK_RESPONSE_HOSTS is for the local cloud only")
        return self
