"""Which workflows a tenant has, for its erasure."""

from __future__ import annotations

from tidegate_kit.dynamo import store_errors
from tidegate_kit.tenancy import TenantScope

from tidegate.workflows.models import WorkflowItem


def workflow_ids(scope: TenantScope) -> list[str]:
    """The ids of every workflow, active or not."""
    with store_errors():
        rows = WorkflowItem.query(scope.pk, WorkflowItem.sk.startswith("WF#"), consistent_read=True)
        return [row.id for row in rows]
