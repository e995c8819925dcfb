"""Approvals: list, read, decide, cancel. Those of workflow steps are kept by workflows."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Query
from tidegate_kit.auth.permissions import ANY_USER
from tidegate_kit.http import CurrentCall, PageParams, Paging, PathId

from tidegate.governance import answers, desk, errors
from tidegate.governance.desk import Ballot
from tidegate.governance.repository.approvals import ApprovalFilters
from tidegate.governance.routes.router import router
from tidegate.governance.schemas import (
    ApprovalList,
    ApprovalModel,
    Approve,
    Reject,
    Status,
    SubjectType,
)

_ERRORS = [
    errors.SelfApproval,
    errors.SubjectChanged,
    errors.AlreadyDecided,
    errors.ApprovalClosed,
]


@router.get("/approvals", permission="approval:read", response_model=ApprovalList)
def list_approvals(
    call: CurrentCall,
    params: Annotated[PageParams, Depends()],
    status: Annotated[Status | None, Query()] = None,
    subject_type: Annotated[SubjectType | None, Query()] = None,
) -> Any:
    """The tenant's approvals, newest first."""
    paging = Paging(call, params, {"status": status, "subject_type": subject_type})
    filters = ApprovalFilters(call.now, status, subject_type)
    rows, total, next_key = desk.page(
        call.principal.tenant, filters, paging.skip, paging.page_size, paging.start
    )
    listed = [answers.approval(row, call.now) for row in rows]
    return ApprovalList(approvals=listed, **paging.fields(total, next_key))


@router.get("/approvals/{approval_id}", permission="approval:read", response_model=ApprovalModel)
def get_approval(approval_id: PathId, call: CurrentCall) -> Any:
    """One approval with its votes."""
    return answers.approval(desk.get(call.principal.tenant, approval_id), call.now)


@router.post(
    "/approvals/{approval_id}/approve",
    permission="approval:decide",
    response_model=ApprovalModel,
    errors=_ERRORS,
)
def approve(approval_id: PathId, body: Approve, call: CurrentCall) -> Any:
    """Vote for it, bound to what was shown; the quorum approves."""
    ballot = Ballot("approve", body.subject_hash, body.comment or "")
    return answers.approval(desk.decide(call.principal, approval_id, ballot), call.now)


@router.post(
    "/approvals/{approval_id}/reject",
    permission="approval:decide",
    response_model=ApprovalModel,
    errors=_ERRORS,
)
def reject(approval_id: PathId, body: Reject, call: CurrentCall) -> Any:
    """Vote against it; one rejection closes it."""
    ballot = Ballot("reject", body.subject_hash, body.comment)
    return answers.approval(desk.decide(call.principal, approval_id, ballot), call.now)


@router.post(
    "/approvals/{approval_id}/cancel",
    permission=ANY_USER,
    response_model=ApprovalModel,
    errors=[errors.ApprovalClosed],
)
def cancel(approval_id: PathId, call: CurrentCall) -> Any:
    """Close it undecided; by its requester or an owner."""
    return answers.approval(desk.cancel(call.principal, approval_id), call.now)
