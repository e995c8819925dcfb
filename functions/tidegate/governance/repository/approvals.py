"""Approvals of plans and model promotions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol

from pynamodb.expressions.condition import Condition
from tidegate_kit.clock import iso
from tidegate_kit.dynamo import ConditionFailed, Transaction, batch_get, store_errors
from tidegate_kit.errors import NotFound
from tidegate_kit.tenancy import TenantScope, key

from tidegate.governance.domain import Approval, ApprovalStatus, NewApproval, SubjectType, Vote
from tidegate.governance.models import ApprovalItem, DueItem
from tidegate.governance.repository.keys import approvals_pk, place_of, time_key


class ApprovalChanged(Exception):
    """Another vote or the end came first; read again."""


@dataclass(frozen=True)
class ApprovalFilters:
    """Which approvals a list holds, as they stand at `now`."""

    now: datetime
    status: ApprovalStatus | None = None
    subject_type: SubjectType | None = None


class Approvals(Protocol):
    """The approvals of one tenant."""

    def add(self, transaction: Transaction, approval: Approval) -> None:
        """Add a new approval to a transaction."""

    def get(self, approval_id: str) -> Approval:
        """An approval, strongly consistent. Raises NotFound."""

    def many(self, approval_ids: Sequence[str]) -> list[Approval]:
        """Those of up to 100 ids that exist."""

    def change(self, old: Approval, new: Approval) -> Approval:
        """Replace `old`. Raises ApprovalChanged."""

    def newest(
        self, filters: ApprovalFilters, below: tuple[datetime, str] | None
    ) -> Iterator[Approval]:
        """Newest first, from below a (requested_at, id)."""

    def total(self, filters: ApprovalFilters) -> int:
        """How many there are."""

    def due(self, now: datetime) -> list[str]:
        """The ids of pending approvals whose time is over."""


class DynamoApprovals:
    """Approvals on the table `governance`."""

    def __init__(self, scope: TenantScope) -> None:
        self._scope = scope

    def add(self, transaction: Transaction, approval: Approval) -> None:
        transaction.save(self._item(approval), ApprovalItem.pk.does_not_exist(), name="approval")
        transaction.save(self._due(approval), name="approval-due")

    def get(self, approval_id: str) -> Approval:
        with store_errors():
            try:
                item = ApprovalItem.get(
                    self._scope.pk, key("APPROVAL", approval_id), consistent_read=True
                )
            except ApprovalItem.DoesNotExist:
                raise NotFound from None
        return approval_of(item)

    def many(self, approval_ids: Sequence[str]) -> list[Approval]:
        wanted = [(ApprovalItem, self._scope.pk, key("APPROVAL", id_)) for id_ in approval_ids]
        return [approval_of(item) for item in batch_get(wanted) if item is not None]

    def change(self, old: Approval, new: Approval) -> Approval:
        made = replace(new, revision=old.revision + 1)
        writes = Transaction()
        writes.save(self._item(made), ApprovalItem.revision == old.revision, name="approval")
        if made.status != "pending":
            writes.delete(self._due(made), name="approval-due")
        try:
            writes.commit()
        except ConditionFailed as lost:
            raise ApprovalChanged from lost
        return made

    def newest(
        self, filters: ApprovalFilters, below: tuple[datetime, str] | None
    ) -> Iterator[Approval]:
        range_ = None if below is None else ApprovalItem.gsi1sk < place_of(*below)
        with store_errors():
            for item in ApprovalItem.by_time.query(
                approvals_pk(self._scope), range_, _condition(filters), scan_index_forward=False
            ):
                yield approval_of(item)

    def total(self, filters: ApprovalFilters) -> int:
        with store_errors():
            return int(
                ApprovalItem.by_time.count(
                    approvals_pk(self._scope), filter_condition=_condition(filters)
                )
            )

    def due(self, now: datetime) -> list[str]:
        with store_errors():
            rows = DueItem.query(
                self._scope.pk,
                DueItem.sk.between("DUE#", f"DUE#{time_key(now)}~"),
                consistent_read=True,
            )
            return [row.approval_id for row in rows]

    def _due(self, approval: Approval) -> DueItem:
        return DueItem(
            self._scope.pk,
            f"DUE#{place_of(approval.expires_at, approval.id)}",
            approval_id=approval.id,
            created_at=approval.requested_at,
            updated_at=approval.requested_at,
        )

    def _item(self, approval: Approval) -> ApprovalItem:
        at = approval.requested_at
        values = {**vars(approval), "votes": [_stored(vote) for vote in approval.approvals]}
        del values["approvals"]
        values["policy_ids"] = list(approval.policy_ids)
        return ApprovalItem(
            self._scope.pk,
            key("APPROVAL", approval.id),
            gsi1pk=approvals_pk(self._scope),
            gsi1sk=place_of(at, approval.id),
            created_at=at,
            updated_at=approval.closed_at or _last_change(approval),
            **values,
        )


def opened(new: NewApproval, now: datetime) -> Approval:
    """A new approval as it begins."""
    return Approval(status="pending", requested_at=now, approvals=(), **vars(new))


def _last_change(approval: Approval) -> datetime:
    votes = approval.approvals
    return votes[-1].decided_at if votes else approval.requested_at


def _condition(filters: ApprovalFilters) -> Condition | None:
    wanted: Condition | None = None
    pending = ApprovalItem.status == "pending"
    if filters.status == "pending":
        wanted = pending & (ApprovalItem.expires_at > filters.now)
    elif filters.status == "expired":
        over = pending & (ApprovalItem.expires_at <= filters.now)
        wanted = (ApprovalItem.status == "expired") | over
    elif filters.status is not None:
        wanted = ApprovalItem.status == filters.status
    if filters.subject_type is not None:
        kind = ApprovalItem.subject_type == filters.subject_type
        wanted = kind if wanted is None else wanted & kind
    return wanted


def _stored(vote: Vote) -> dict[str, Any]:
    return {**vars(vote), "decided_at": iso(vote.decided_at)}


def approval_of(item: ApprovalItem) -> Approval:
    """The domain object of a stored approval."""
    status: Any = item.status
    subject_type: Any = item.subject_type
    votes = tuple(
        Vote(**{**vote, "decided_at": datetime.fromisoformat(vote["decided_at"])})
        for vote in item.votes
    )
    return Approval(
        id=item.id, subject_type=subject_type, subject_id=item.subject_id,
        subject_hash=item.subject_hash, title=item.title, description=item.description,
        status=status, requested_by=item.requested_by, requested_at=item.requested_at,
        quorum=int(item.quorum), approver_role=item.approver_role, approvals=votes,
        policy_ids=tuple(str(id_) for id_ in item.policy_ids), expires_at=item.expires_at,
        closed_at=item.closed_at, closed_by=item.closed_by, revision=int(item.revision),
    )  # fmt: skip
