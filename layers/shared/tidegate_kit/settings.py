"""Typed settings, one class per function, read once at cold start (GEN-5, design section 4.4).

This is the only module that reads the process environment.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

Environment = Literal["development", "staging", "production"]


class SettingsError(RuntimeError):
    """A required setting is missing or unusable. The message names each one, never its value."""


class Settings(BaseModel):
    """What every function needs (GEN-5). Nothing that decides where data lives has a default."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    tidegate_env: Environment
    tidegate_stage: str = Field(min_length=1, pattern=r"^[a-z0-9-]{1,32}$")
    tidegate_version: str = Field(min_length=1)
    aws_region: str = Field(min_length=1)
    table_prefix: str = Field(min_length=1)
    table_arn_prefix: str = Field(pattern=r"^arn:[a-z-]+:dynamodb:")
    public_base_url: str = Field(pattern=r"^https?://")
    ws_url: str = Field(pattern=r"^wss?://")
    jwt_issuer: str = Field(min_length=1)
    signing_key_ref: str = Field(min_length=1)
    kms_key_arn: str = Field(pattern=r"^arn:[a-z-]+:kms:")
    cors_origins: str = Field(min_length=1)
    onboarding_role_arn: str = Field(pattern=r"^arn:[a-z-]+:iam::\d{12}:role/")
    callback_topic_arn: str = Field(pattern=r"^arn:[a-z-]+:sns:")

    access_code: str | None = None
    access_code_header: str = "X-Halext-Code"
    legacy_tokens_enabled: bool = False
    legacy_tokens_until: str | None = None
    tenant_data_role_arn: str | None = None

    @field_validator("public_base_url", "ws_url")
    @classmethod
    def _no_trailing_slash(cls, value: str) -> str:
        return value.rstrip("/")

    @field_validator("access_code", "legacy_tokens_until", "tenant_data_role_arn")
    @classmethod
    def _empty_is_unset(cls, value: str | None) -> str | None:
        return value or None

    @property
    def cors_origin_list(self) -> tuple[str, ...]:
        """The exact allowed origins (GEN-13), comma-separated in the environment."""
        return tuple(o.strip().rstrip("/") for o in self.cors_origins.split(",") if o.strip())

    @property
    def platform_account(self) -> str:
        """The 12-digit account that holds the platform, read from its onboarding role's ARN."""
        return self.onboarding_role_arn.split(":")[4]

    @property
    def on_lambda(self) -> bool:
        """True inside a Lambda environment, which serves one request at a time."""
        return "AWS_LAMBDA_FUNCTION_NAME" in os.environ


S = TypeVar("S", bound=Settings)


def read_settings(kind: type[S], environment: Mapping[str, str] | None = None) -> S:
    """Build `kind` from the environment. Raises SettingsError naming each bad variable."""
    values: dict[str, Any] = {}
    source = os.environ if environment is None else environment
    for name in kind.model_fields:
        if name.upper() in source:
            values[name] = source[name.upper()]
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        missing = sorted(str(e["loc"][0]).upper() for e in error.errors() if e["type"] == "missing")
        wrong = sorted(str(e["loc"][0]).upper() for e in error.errors() if e["type"] != "missing")
        parts = []
        if missing:
            parts.append(f"missing setting(s): {', '.join(missing)}")
        if wrong:
            parts.append(f"unusable setting(s): {', '.join(wrong)}")
        raise SettingsError(
            f"{'; '.join(parts)}. Set them in template.yaml (Globals.Function.Environment)."
        ) from None


@cache
def settings_of(kind: type[S]) -> S:
    """The settings of this process, read once."""
    return read_settings(kind)
