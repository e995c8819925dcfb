"""Approvals of plans and model promotions: identity, quorum, expiry (GOV-4)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Literal

from tidegate_kit.clock import Clock
from tidegate_kit.dynamo import Transaction
from tidegate_kit.errors import Forbidden

from tidegate.governance.domain import Approval, ApprovalStatus, NewApproval, Verdict, Vote
from tidegate.governance.errors import (
    AlreadyDecided,
    ApprovalClosed,
    SelfApproval,
    SubjectChanged,
)
from tidegate.governance.repository.approvals import ApprovalChanged, Approvals, opened

_ATTEMPTS: Final = 12
_SYSTEM: Final = "system"


@dataclass(frozen=True)
class Member:
    """A member of the tenant as stored now."""

    user_id: str
    email: str
    roles: frozenset[str]
    is_owner: bool
    is_active: bool

    def holds(self, role: str) -> bool:
        """True with that role; an owner counts as client, and a client as user (AUTH-15)."""
        held = self.roles | ({"client"} if self.is_owner else set()) | {"user"}
        return self.is_active and role in held


@dataclass(frozen=True)
class Ballot:
    """A vote as it is cast."""

    decision: Verdict
    subject_hash: str
    comment: str = ""


class ApprovalService:
    """The approvals of one tenant.

    `member` gives a member as stored now: a vote counts only while its voter may vote (B23).
    """

    def __init__(
        self, store: Approvals, member: Callable[[str], Member | None], clock: Clock
    ) -> None:
        self._store = store
        self._member = member
        self._clock = clock

    def add(self, transaction: Transaction, new: NewApproval, now: datetime) -> None:
        """Add a pending approval to a transaction."""
        self._store.add(transaction, opened(new, now))

    def get(self, approval_id: str) -> Approval:
        """An approval as it stands now. Raises NotFound."""
        return self._shown(self._store.get(approval_id))

    def many(self, approval_ids: Iterable[str]) -> dict[str, Approval]:
        """Approvals by id; absent ones are left out."""
        wanted = list(dict.fromkeys(approval_ids))
        found = [
            approval
            for start in range(0, len(wanted), 100)
            for approval in self._store.many(wanted[start : start + 100])
        ]
        return {one.id: self._shown(one) for one in found}

    def decide(self, approval_id: str, user_id: str, ballot: Ballot) -> Approval:
        """Count one vote; a rejection closes, and so does the last approval needed.

        Raises NotFound, SelfApproval, Forbidden, AlreadyDecided, ApprovalClosed, SubjectChanged.
        """
        for _ in range(_ATTEMPTS):
            approval = self._store.get(approval_id)
            now = self._clock()
            voter = self._checked(approval, user_id, ballot, now)
            vote = Vote(
                voter.user_id, voter.email, ballot.decision, ballot.comment, now,
                ballot.subject_hash,
            )  # fmt: skip
            try:
                return self._store.change(approval, self._counted(approval, vote))
            except ApprovalChanged:
                continue
        raise ApprovalClosed

    def _checked(self, approval: Approval, user_id: str, ballot: Ballot, now: datetime) -> Member:
        if approval.requested_by == user_id:
            raise SelfApproval
        voter = self._member(user_id)
        if voter is None or not voter.holds(approval.approver_role):
            raise Forbidden
        if any(vote.user_id == user_id for vote in approval.approvals):
            raise AlreadyDecided
        if approval.shown_status(now) != "pending":
            raise ApprovalClosed
        if approval.subject_hash != ballot.subject_hash:
            raise SubjectChanged
        return voter

    def _counted(self, approval: Approval, vote: Vote) -> Approval:
        votes = (*approval.approvals, vote)
        if vote.decision == "reject":
            return _closed(approval, "rejected", vote.decided_at, vote.user_id, votes)
        valid = 1 + sum(self._counts(approval, earlier) for earlier in approval.approvals)
        if valid >= approval.quorum:
            return _closed(approval, "approved", vote.decided_at, vote.user_id, votes)
        return replace(approval, approvals=votes)

    def _counts(self, approval: Approval, vote: Vote) -> bool:
        member = self._member(vote.user_id)
        return member is not None and member.holds(approval.approver_role)

    def cancel(self, approval_id: str, user_id: str, *, is_owner: bool) -> Approval:
        """Close an approval undecided; by its requester or an owner.

        Raises NotFound, Forbidden, ApprovalClosed.
        """
        for _ in range(_ATTEMPTS):
            approval = self._store.get(approval_id)
            if user_id != approval.requested_by and not is_owner:
                raise Forbidden
            now = self._clock()
            if approval.shown_status(now) != "pending":
                raise ApprovalClosed
            try:
                return self._store.change(approval, _closed(approval, "cancelled", now, user_id))
            except ApprovalChanged:
                continue
        raise ApprovalClosed

    def close(self, approval_id: str, status: Literal["cancelled", "expired"], by: str) -> Approval:
        """Close an approval whose subject is gone; a closed one stays as it is. Raises NotFound."""
        for _ in range(_ATTEMPTS):
            approval = self._store.get(approval_id)
            if approval.status != "pending":
                return approval
            now = self._clock()
            over = approval.shown_status(now) == "expired"
            try:
                return self._store.change(
                    approval, _closed(approval, "expired" if over else status, now, by)
                )
            except ApprovalChanged:
                continue
        return self.get(approval_id)

    def expire_due(self) -> int:
        """Close the pending approvals whose time is over; returns how many (EVT-6)."""
        due = self._store.due(self._clock())
        for approval_id in due:
            self.close(approval_id, "expired", _SYSTEM)
        return len(due)

    def _shown(self, approval: Approval) -> Approval:
        return replace(approval, status=approval.shown_status(self._clock()))


def _closed(
    approval: Approval,
    status: ApprovalStatus,
    at: datetime,
    by: str,
    votes: tuple[Vote, ...] | None = None,
) -> Approval:
    return replace(
        approval,
        status=status,
        closed_at=at,
        closed_by=by,
        approvals=approval.approvals if votes is None else votes,
    )
