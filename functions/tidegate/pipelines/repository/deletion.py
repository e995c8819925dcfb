"""Forgetting a tenant."""

from __future__ import annotations

from collections.abc import Iterator

from tidegate_kit.dynamo import batch_delete, store_errors
from tidegate_kit.tenancy import TenantScope, key

from tidegate.pipelines.executions import PIPELINES
from tidegate.pipelines.models import FileItem
from tidegate.pipelines.repository.costs import DynamoCostSeries


def delete_some(scope: TenantScope, limit: int) -> int:
    """Delete up to `limit` rows of any kind; how many. The tenant's own partition goes last."""
    for pk in _partitions(scope):
        with store_errors():
            items = FileItem.query(
                pk, consistent_read=True, limit=limit, attributes_to_get=["pk", "sk"]
            )
            keys = [(item.pk, item.sk) for item in items]
        if keys:
            return batch_delete(FileItem, keys)
    return 0


def _partitions(scope: TenantScope) -> Iterator[str]:
    for name in PIPELINES:
        yield f"{scope.pk}#{key('P', name)}"
    costs = DynamoCostSeries(scope)
    for account_id in costs.accounts():
        for generation in range(costs.generation(account_id) + 1):
            yield f"{scope.pk}#{key('C', account_id, str(generation))}"
    yield scope.pk
