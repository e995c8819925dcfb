"""The customer's template with one request's values as defaults (ONB-2)."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from tidegate_kit.settings import Settings

from tidegate.onboarding.domain import Registration

TEMPLATE_VERSION = "2"
_FILE = Path(__file__).with_name("customer-role.yaml")


@cache
def template_source() -> str:
    """The template as shipped, without defaults."""
    return _FILE.read_text(encoding="utf-8")


def template_values(registration: Registration, settings: Settings) -> dict[str, str]:
    """Parameter values of one request. They hold no platform secret (G13)."""
    return {
        "ExternalId": registration.external_id or "",
        "OnboardingId": registration.id,
        "PlatformRoleArn": settings.onboarding_role_arn,
        "CallbackTopicArn": settings.callback_topic_arn,
        "Tier": registration.tier,
        "RoleName": registration.role_name or "",
        "TemplateVersion": TEMPLATE_VERSION,
    }


def render(values: Mapping[str, str]) -> str:
    """The template with `values` as parameter defaults. Raises ValueError for an unknown name."""
    text = template_source()
    for name, value in values.items():
        parameter = f"  {name}:\n    Type: String\n"
        if text.count(parameter) != 1:
            raise ValueError(f"the template has no parameter {name}")
        # A JSON string is a YAML double-quoted scalar.
        text = text.replace(parameter, f"{parameter}    Default: {json.dumps(value)}\n")
    return text


def role_name(onboarding_id: str) -> str:
    """TidegateAccess-<first 8 of id> (ONB-2)."""
    return f"TidegateAccess-{onboarding_id[:8]}"


def copy_key(registration: Registration, text: str) -> str:
    """The S3 key of the copy of a rendered template; another text has another key."""
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return f"tenants/{registration.tenant_id}/onboarding/{registration.id}/{digest}.yaml"


def stack_name(onboarding_id: str) -> str:
    """The suggested stack name."""
    return re.sub(r"[^A-Za-z0-9-]", "-", f"tidegate-{onboarding_id[:8]}")
