"""Settings for in-process tests: complete, on the names that the test tables get."""

from __future__ import annotations

from typing import TypeVar

from tidegate_kit.settings import Settings, read_settings

S = TypeVar("S", bound=Settings)

REGION = "us-east-1"
PLATFORM_ACCOUNT = "123456789012"  # moto's own account
CUSTOMER_ACCOUNT = "222222222222"
PREFIX = "tidegate-test"

ENVIRONMENT: dict[str, str] = {
    "TIDEGATE_ENV": "development",
    "TIDEGATE_STAGE": "test",
    "TIDEGATE_VERSION": "0.0.0-test",
    "AWS_REGION": REGION,
    "TABLE_PREFIX": PREFIX,
    "TABLE_ARN_PREFIX": f"arn:aws:dynamodb:{REGION}:{PLATFORM_ACCOUNT}:table/{PREFIX}",
    "PUBLIC_BASE_URL": "http://127.0.0.1:8000",
    "WS_URL": "ws://127.0.0.1:8000/ws",
    "JWT_ISSUER": "http://127.0.0.1:8000",
    "SIGNING_KEY_REF": "tidegate-test/signing-keys",
    "KMS_KEY_ARN": f"arn:aws:kms:{REGION}:{PLATFORM_ACCOUNT}:key/none",
    "CORS_ORIGINS": "http://localhost:3000,https://app.example.com",
    "ONBOARDING_ROLE_ARN": f"arn:aws:iam::{PLATFORM_ACCOUNT}:role/tidegate-test-onboarding",
    "CALLBACK_TOPIC_ARN": f"arn:aws:sns:{REGION}:{PLATFORM_ACCOUNT}:tidegate-test-callback",
}


def settings(kind: type[S], **changes: str) -> S:
    """Settings of `kind`; keyword arguments override environment variables by name."""
    changed = {name.upper(): value for name, value in changes.items()}
    return read_settings(kind, {**ENVIRONMENT, **changed})
