"""Settings of every function that asks models."""

from __future__ import annotations

import json
from functools import cached_property

from pydantic import Field, field_validator
from tidegate_kit.settings import Settings

from tidegate.ai.catalogue import BUILT_IN, Catalogue, build, read_order


class AiSettings(Settings):
    """GEN-5, and which models are to be had where. Without a base URL there is Bedrock alone.

    ai_base_url ends where /chat/completions follows, e.g. https://api.example.com/v1.
    ai_api_key_ref: the secret (Secrets Manager) that holds its key.
    """

    ai_providers: str = "openai_compatible,bedrock"
    ai_base_url: str = Field(default="", pattern=r"^$|^https?://[^\s?#]+$")
    ai_api_key_ref: str = ""
    ai_models: str = ""
    ai_default_model: str = "default"

    @field_validator("ai_base_url")
    @classmethod
    def _no_slash_at_the_end(cls, value: str) -> str:
        return value.rstrip("/")

    @field_validator("ai_providers")
    @classmethod
    def _known_providers(cls, value: str) -> str:
        read_order(value)
        return value

    @field_validator("ai_models")
    @classmethod
    def _readable_models(cls, value: str) -> str:
        if value:
            build(json.loads(value), read_order("bedrock,openai_compatible"))
        return value

    @cached_property
    def catalogue(self) -> Catalogue:
        """The models, each with its providers in the configured order."""
        given = json.loads(self.ai_models) if self.ai_models else BUILT_IN
        return build(given, read_order(self.ai_providers))
