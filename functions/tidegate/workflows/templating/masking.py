"""Hides resolved secrets in whatever a step hands on (WF-15)."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

MASK: Final = "***"


def redact(value: Any, secrets: Collection[str]) -> Any:
    """JSON data with every occurrence of a secret in strings and keys replaced by ***."""
    known = sorted((secret for secret in secrets if secret), key=len, reverse=True)
    return _redact(value, known) if known else value


def _redact(value: Any, secrets: list[str]) -> Any:
    if isinstance(value, str):
        for secret in secrets:
            if secret in value:
                value = value.replace(secret, MASK)
        return value
    if isinstance(value, dict):
        return {_redact(key, secrets): _redact(item, secrets) for key, item in value.items()}
    if isinstance(value, list):
        return [_redact(item, secrets) for item in value]
    return value
