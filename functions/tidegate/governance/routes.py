"""Approvals: list, read, decide, cancel (contract 2.11)."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Query
from tidegate_kit.auth.permissions import ANY_USER
from tidegate_kit.http import CurrentCall, PageParams, Paging, PathId, Router

from tidegate.governance import answers
from tidegate.governance.schemas import (
    ApprovalList,
    ApprovalModel,
    Approve,
    Reject,
    Status,
    SubjectType,
)
from tidegate.workflows.public import governance as workflows

router = Router("governance")
_ERRORS = [
    workflows.SelfApproval,
    workflows.SubjectChanged,
    workflows.AlreadyDecided,
    workflows.ApprovalClosed,
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
    if subject_type not in (None, "workflow_step"):
        return ApprovalList(approvals=[], **paging.fields(0, None))
    rows, total, next_key = workflows.approvals(
        call.principal.tenant, status, call.now, paging.skip, paging.page_size, paging.start
    )
    listed = [answers.approval(row, call.now) for row in rows]
    return ApprovalList(approvals=listed, **paging.fields(total, next_key))


@router.get("/approvals/{approval_id}", permission="approval:read", response_model=ApprovalModel)
def get_approval(approval_id: PathId, call: CurrentCall) -> Any:
    """One approval with its votes."""
    return answers.approval(workflows.approval(call.principal.tenant, approval_id), call.now)


@router.post(
    "/approvals/{approval_id}/approve",
    permission="approval:decide",
    response_model=ApprovalModel,
    errors=_ERRORS,
)
def approve(approval_id: PathId, body: Approve, call: CurrentCall) -> Any:
    """Vote for it, bound to what was shown; the quorum lets the step go on."""
    decided = workflows.decide_approval(
        call.principal.tenant, approval_id, answers.voter(call.principal), "approve",
        body.subject_hash, body.comment or "",
    )  # fmt: skip
    return answers.approval(decided, call.now)


@router.post(
    "/approvals/{approval_id}/reject",
    permission="approval:decide",
    response_model=ApprovalModel,
    errors=_ERRORS,
)
def reject(approval_id: PathId, body: Reject, call: CurrentCall) -> Any:
    """Vote against it; one rejection closes it."""
    decided = workflows.decide_approval(
        call.principal.tenant, approval_id, answers.voter(call.principal), "reject",
        body.subject_hash, body.comment,
    )  # fmt: skip
    return answers.approval(decided, call.now)


@router.post(
    "/approvals/{approval_id}/cancel",
    permission=ANY_USER,
    response_model=ApprovalModel,
    errors=[workflows.ApprovalClosed],
)
def cancel(approval_id: PathId, call: CurrentCall) -> Any:
    """Close it undecided; by its requester or an owner."""
    closed = workflows.cancel_approval(
        call.principal.tenant, approval_id, answers.voter(call.principal)
    )
    return answers.approval(closed, call.now)
