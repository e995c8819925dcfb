"""Keys of the `workflows` table; every one starts with the tenant's."""

from __future__ import annotations

from datetime import UTC, datetime

from tidegate_kit.tenancy import TenantScope, key


def time_key(moment: datetime) -> str:
    """Fixed-width UTC text, so that text order is time order."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def workflow_sk(workflow_id: str) -> str:
    """Sort key of a workflow."""
    return key("WF", workflow_id)


def workflow_pk(scope: TenantScope, workflow_id: str) -> str:
    """Partition of what belongs to one workflow."""
    return f"{scope.pk}#{key('W', workflow_id)}"


def version_sk(version: int) -> str:
    """Sort key of a version; eight digits keep the order."""
    return f"V#{version:08d}"


def execution_sk(execution_id: str) -> str:
    """Sort key of an execution."""
    return key("EX", execution_id)


def ledger_pk(scope: TenantScope, execution_id: str) -> str:
    """Partition of an execution's steps and effects."""
    return f"{scope.pk}#{key('E', execution_id)}"


def place_of(moment: datetime, id_: str) -> str:
    """`<time>#<id>`: the place in a list by time."""
    return f"{time_key(moment)}#{id_}"
