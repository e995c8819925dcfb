"""Approvals inside workflows: identity, quorum, expiry (GOV-4, WF-7)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Literal

from tidegate_kit.clock import Clock
from tidegate_kit.errors import Detail, Forbidden, Unprocessable

from tidegate.workflows.domain import Approval, Vote
from tidegate.workflows.errors import (
    AlreadyDecided,
    ApprovalClosed,
    SelfApproval,
    SubjectChanged,
)
from tidegate.workflows.repository.approvals import ApprovalChanged, ApprovalStore
from tidegate.workflows.service.machines import Machines
from tidegate.workflows.service.steps import StepFailed, Steps

_ATTEMPTS: Final = 6
Decision = Literal["approve", "reject"]


@dataclass(frozen=True)
class Voter:
    """An identified member as the store knows him now."""

    user_id: str
    email: str
    roles: frozenset[str]
    is_owner: bool
    is_active: bool = True

    def holds(self, role: str) -> bool:
        """True with that role; an owner counts as client."""
        return self.is_active and (role in self.roles or (role == "client" and self.is_owner))


class ApprovalService:
    """The approvals of one tenant."""

    def __init__(
        self,
        store: ApprovalStore,
        steps: Steps,
        machines: Machines,
        member: Callable[[str], Voter | None],
        ended: Callable[[str], bool],
        clock: Clock,
    ) -> None:
        """`member` gives a member as stored now, to see whether his vote still counts (B23);
        `ended` says that an execution is over, so that nothing waits for a vote any more."""
        self._store = store
        self._steps = steps
        self._machines = machines
        self._member = member
        self._ended = ended
        self._clock = clock

    def decide(
        self, approval_id: str, voter: Voter, decision: Decision, subject_hash: str, comment: str
    ) -> Approval:
        """Count one vote; the last one needed closes the approval and lets the step go on.

        Raises NotFound, ApprovalClosed, SelfApproval, Forbidden, SubjectChanged, AlreadyDecided,
        Unprocessable for a rejection without comment.
        """
        if decision == "reject" and not comment:
            raise Unprocessable(details=[Detail("comment", "is required to reject")])
        for _ in range(_ATTEMPTS):
            approval = self._store.get(approval_id)
            now = self._clock()
            self._check(approval, voter, subject_hash, now)
            vote = Vote(voter.user_id, voter.email, decision, comment, now, subject_hash)
            try:
                decided = self._store.change(approval, self._counted(approval, vote, now))
            except ApprovalChanged:
                continue
            return decided if decided.status == "pending" else self.settle(decided)
        raise ApprovalClosed

    def _check(self, approval: Approval, voter: Voter, subject_hash: str, now: datetime) -> None:
        if approval.requested_by == voter.user_id:
            raise SelfApproval
        named = not approval.approvers or voter.user_id in approval.approvers
        if not named or not voter.holds(approval.approver_role):
            raise Forbidden
        if any(vote.user_id == voter.user_id for vote in approval.votes):
            raise AlreadyDecided
        if approval.shown_status(now) != "pending" or self._ended(approval.execution_id):
            raise ApprovalClosed
        if approval.subject_hash != subject_hash:
            raise SubjectChanged

    def _counted(self, approval: Approval, vote: Vote, now: datetime) -> Approval:
        votes = (*approval.votes, vote)
        if vote.decision == "reject":
            return replace(approval, votes=votes, status="rejected", decided_at=now)
        valid = 1 + sum(self._still_counts(approval, earlier) for earlier in approval.votes)
        if valid >= approval.quorum:
            return replace(approval, votes=votes, status="approved", decided_at=now)
        return replace(approval, votes=votes)

    def _still_counts(self, approval: Approval, vote: Vote) -> bool:
        member = self._member(vote.user_id)
        return member is not None and member.holds(approval.approver_role)

    def cancel(self, approval_id: str, by: Voter) -> Approval:
        """Close an approval undecided; by its requester or an owner. Raises ApprovalClosed."""
        approval = self._store.get(approval_id)
        if by.user_id != approval.requested_by and not by.is_owner:
            raise Forbidden
        now = self._clock()
        if approval.shown_status(now) != "pending":
            raise ApprovalClosed
        try:
            closed = self._store.change(
                approval, replace(approval, status="cancelled", decided_at=now)
            )
        except ApprovalChanged:
            raise ApprovalClosed from None
        return self.settle(closed)

    def settle(self, approval: Approval) -> Approval:
        """Carry a decision to its step and machine; harmless when repeated (H1)."""
        if approval.answered or approval.status in ("pending", "expired"):
            return approval
        last = approval.votes[-1] if approval.votes else None
        given = {
            "decision": approval.status,
            "approval_id": approval.id,
            "decided_by": None if last is None else last.user_id,
            "comment": "" if last is None else last.comment,
        }
        try:
            route = self._steps.decided(approval.execution_id, approval.step_id, given)
        except StepFailed:
            route = None  # the execution has ended meanwhile; nothing waits any more
        if route is None:
            self._machines.fail(approval.task_token, StepFailed.__name__)
        else:
            self._machines.succeed(approval.task_token, {"route": route})
        try:
            return self._store.change(approval, replace(approval, answered=True))
        except ApprovalChanged:
            return self._store.get(approval.id)

    def close(self, approval_id: str) -> None:
        """The step no longer waits: its execution has ended, or its time was over."""
        approval = self._store.get(approval_id)
        if approval.status != "pending":
            return
        now = self._clock()
        status = approval.shown_status(now)
        closed = replace(
            approval,
            status="cancelled" if status == "pending" else status,
            decided_at=now,
            answered=True,
        )
        try:
            self._store.change(approval, closed)
        except ApprovalChanged:
            return  # decided in the same moment
