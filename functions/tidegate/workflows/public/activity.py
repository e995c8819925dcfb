"""What a tenant's workflows do now, in numbers, for dashboards."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from tidegate_kit.tenancy import TenantScope

from tidegate.workflows.repository.approvals import ApprovalFilters, DynamoApprovals
from tidegate.workflows.repository.execution_lists import ExecutionFilters, ExecutionLists
from tidegate.workflows.repository.workflows import DynamoWorkflows, WorkflowFilters

__all__ = ["Activity", "activity", "pending_approvals"]

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Activity:
    """Active workflows, and the executions started in the last 24 hours."""

    active: int
    executions_last_24h: int
    failed_last_24h: int


def activity(scope: TenantScope, now: datetime) -> Activity:
    """The tenant's workflows as stored now. A timed-out execution has failed.

    Raises ServiceUnavailable.
    """
    lists = ExecutionLists(scope)
    wanted = [
        ExecutionFilters(from_=now - _DAY, status=status)
        for status in (None, "failed", "timed_out")
    ]
    total, failed, timed_out = (lists.page(one, 0, 1, None)[1] for one in wanted)
    active = DynamoWorkflows(scope).page(WorkflowFilters(is_active=True), 0, 1, None)[1]
    return Activity(active, total, failed + timed_out)


def pending_approvals(scope: TenantScope, now: datetime) -> int:
    """Approvals of steps that wait for a vote and are not expired. Raises ServiceUnavailable."""
    return DynamoApprovals(scope).page(ApprovalFilters("pending", now), 0, 1, None)[1]
