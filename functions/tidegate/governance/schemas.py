"""Requests and answers of approvals (contract 2.11)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import StringConstraints
from tidegate_kit.http import ApiModel, PageFields, RequestModel, Text, Timestamp
from tidegate_kit.http.schema import NotNull

SubjectType = Literal["plan", "workflow_step", "model_promotion"]
Status = Literal["pending", "approved", "rejected", "expired", "cancelled"]
Hash = Annotated[str, StringConstraints(min_length=1, max_length=128)]
Comment = Annotated[Text, StringConstraints(min_length=1, max_length=1000)]


class Subject(ApiModel):
    """What is to be approved; `hash` is what a vote binds to."""

    type: SubjectType
    id: str
    hash: str


class VoteModel(ApiModel):
    """One person's decision."""

    user_id: str
    email: str
    decision: Literal["approve", "reject"]
    comment: str
    decided_at: Timestamp
    subject_hash: str


class ApprovalModel(ApiModel):
    """An approval."""

    id: str
    subject: Subject
    title: str
    description: str
    status: Status
    requested_by: str
    requested_at: Timestamp
    quorum: int
    approver_role: str
    approvals: list[VoteModel]
    policy_ids: list[str]
    expires_at: Timestamp


class ApprovalList(PageFields):
    """Approvals, newest first."""

    approvals: list[ApprovalModel]


class Approve(RequestModel):
    """POST /approvals/{id}/approve."""

    subject_hash: Hash
    comment: Annotated[Comment | None, NotNull] = None


class Reject(RequestModel):
    """POST /approvals/{id}/reject."""

    subject_hash: Hash
    comment: Comment
