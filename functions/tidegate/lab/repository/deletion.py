"""Everything of a tenant, away."""

from __future__ import annotations

from tidegate_kit.dynamo import batch_delete, store_errors
from tidegate_kit.tenancy import TenantScope

from tidegate.lab.models import RunRow


def delete_some(scope: TenantScope, limit: int) -> int:
    """Delete up to `limit` rows of any kind; how many were there."""
    with store_errors():
        rows = RunRow.query(scope.pk, limit=limit, attributes_to_get=["pk", "sk"])
        keys = [(row.pk, row.sk) for row in rows]
    return batch_delete(RunRow, keys)
