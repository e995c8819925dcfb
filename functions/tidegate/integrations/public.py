"""What other domains may use: a tenant's secrets, for steps and for checking what they name."""

from __future__ import annotations

from tidegate_kit.tenancy import TenantScope

from tidegate.integrations.errors import UnknownSecret
from tidegate.integrations.wiring import secrets_of

__all__ = ["UnknownSecret", "secret", "secret_names"]


def secret(scope: TenantScope, name: str) -> str:
    """The plain value of a tenant's secret. Raises UnknownSecret, SealBroken, ServiceUnavailable.

    The caller's role needs kms:Decrypt on the data key and reads of the table `integrations`.
    """
    return secrets_of(scope).value(name)


def secret_names(scope: TenantScope) -> frozenset[str]:
    """The names that `secret` knows now."""
    return frozenset(one.id for one in secrets_of(scope).all())
