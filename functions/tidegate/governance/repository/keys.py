"""Keys of the table `governance`."""

from __future__ import annotations

from datetime import UTC, datetime

from tidegate_kit.tenancy import TenantScope, key


def time_key(moment: datetime) -> str:
    """Fixed-width UTC text, so that text order is time order."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def place_of(moment: datetime, id_: str) -> str:
    """`<time>#<id>`: the place in a list by time."""
    return f"{time_key(moment)}#{key(id_)}"


def approvals_pk(scope: TenantScope) -> str:
    """Index partition of the approvals."""
    return f"{scope.pk}#APPROVALS"


def version_sk(policy_id: str, version: int) -> str:
    """Sort key of a policy's version; eight digits keep the order."""
    return f"{key('POLICYV', policy_id)}#{version:08d}"


def audit_sk(sequence: int) -> str:
    """Sort key of an audit entry."""
    return f"AUDIT#{sequence:012d}"
