"""Starting executions and deciding approvals, for other domains."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tidegate_kit.clock import Clock, system_clock
from tidegate_kit.ids import new_id
from tidegate_kit.tenancy import TenantScope

from tidegate.workflows.domain import Approval, ApprovalStatus, Execution, TriggerKind, Vote
from tidegate.workflows.errors import (
    AlreadyDecided,
    ApprovalClosed,
    SelfApproval,
    SubjectChanged,
)
from tidegate.workflows.repository.approvals import ApprovalFilters
from tidegate.workflows.service.approvals import Decision, Voter
from tidegate.workflows.service.executions import Start
from tidegate.workflows.settings import WorkflowsSettings
from tidegate.workflows.wiring import services_of

__all__ = [
    "AlreadyDecided",
    "Approval",
    "ApprovalClosed",
    "ApprovalStatus",
    "Execution",
    "SelfApproval",
    "SubjectChanged",
    "Vote",
    "Voter",
    "WorkflowsSettings",
    "approval",
    "approvals",
    "cancel_approval",
    "decide_approval",
    "start",
]


def start(
    scope: TenantScope,
    workflow_id: str,
    input_data: Mapping[str, Any],
    *,
    principal: str,
    trigger: TriggerKind = "orchestrator",
    execution_id: str | None = None,
    request_id: str | None = None,
    clock: Clock = system_clock,
) -> Execution:
    """Start an execution; the same `execution_id` again is the same execution.

    Raises NotFound, WorkflowInactive, MissingInput, InputInvalid, ConcurrencyLimit.
    """
    wish = Start(
        id=execution_id or new_id(),
        workflow_id=workflow_id,
        input_data=input_data,
        principal=principal,
        trigger=trigger,
        request_id=request_id,
    )
    return services_of(scope, principal, clock).executions.begin(wish)


def approval(scope: TenantScope, approval_id: str) -> Approval:
    """An approval of a workflow step. Raises NotFound."""
    return services_of(scope, "system").repositories.approvals.get(approval_id)


def approvals(
    scope: TenantScope,
    status: ApprovalStatus | None,
    now: datetime,
    skip: int,
    limit: int,
    start_key: Mapping[str, Any] | None,
) -> tuple[list[Approval], int, dict[str, Any] | None]:
    """Approvals, newest first: rows, total, next key."""
    store = services_of(scope, "system").repositories.approvals
    return store.page(ApprovalFilters(status, now), skip, limit, start_key)


def decide_approval(
    scope: TenantScope,
    approval_id: str,
    voter: Voter,
    decision: Decision,
    subject_hash: str,
    comment: str = "",
    clock: Clock = system_clock,
) -> Approval:
    """Count a vote; the last one needed lets the workflow go on (GOV-4).

    Raises NotFound, ApprovalClosed, AlreadyDecided, SelfApproval, SubjectChanged, Forbidden.
    """
    service = services_of(scope, voter.user_id, clock).approvals
    return service.decide(approval_id, voter, decision, subject_hash, comment)


def cancel_approval(
    scope: TenantScope, approval_id: str, by: Voter, clock: Clock = system_clock
) -> Approval:
    """Close an approval undecided; its requester or an owner. Raises ApprovalClosed, Forbidden."""
    return services_of(scope, by.user_id, clock).approvals.cancel(approval_id, by)
