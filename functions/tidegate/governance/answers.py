"""Approvals as they are answered."""

from __future__ import annotations

from datetime import datetime

from tidegate_kit.auth.principal import Principal

from tidegate.governance.schemas import ApprovalModel, Subject, VoteModel
from tidegate.workflows.public.governance import Approval, Voter


def approval(found: Approval, now: datetime) -> ApprovalModel:
    """An approval; expiry holds on read (GOV-4)."""
    return ApprovalModel(
        id=found.id,
        subject=Subject(
            type="workflow_step",
            id=f"{found.execution_id}/{found.step_id}",
            hash=found.subject_hash,
        ),
        title=found.title,
        description=found.description,
        status=found.shown_status(now),
        requested_by=found.requested_by,
        requested_at=found.requested_at,
        quorum=found.quorum,
        approver_role=found.approver_role,
        approvals=[VoteModel(**vars(vote)) for vote in found.votes],
        policy_ids=[],
        expires_at=found.expires_at,
    )


def voter(principal: Principal) -> Voter:
    """The caller as a voter."""
    return Voter(principal.user_id, principal.email, principal.roles, principal.is_owner)
