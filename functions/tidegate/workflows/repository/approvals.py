"""Approvals of workflow steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol

from pynamodb.expressions.condition import Condition
from tidegate_kit.clock import epoch, iso
from tidegate_kit.dynamo import ConditionFailed, store_errors
from tidegate_kit.errors import NotFound
from tidegate_kit.tenancy import TenantScope, key

from tidegate.workflows.domain import EXECUTION_KEPT, Approval, ApprovalStatus, Vote
from tidegate.workflows.models import ApprovalItem
from tidegate.workflows.repository.keys import place_of
from tidegate.workflows.repository.paging import page_of


class ApprovalChanged(Exception):
    """Another vote or the end came first; read again."""


@dataclass(frozen=True)
class ApprovalFilters:
    """Which approvals a list holds, as they stand at `now`."""

    status: ApprovalStatus | None
    now: datetime


class ApprovalStore(Protocol):
    """The approvals of one tenant."""

    def open(self, approval: Approval) -> Approval:
        """Store a new approval; a known one keeps its votes and takes the newer task token."""

    def get(self, approval_id: str) -> Approval:
        """An approval, strongly consistent. Raises NotFound."""

    def change(self, old: Approval, new: Approval) -> Approval:
        """Replace `old`. Raises ApprovalChanged."""

    def page(
        self, filters: ApprovalFilters, skip: int, limit: int, start: Mapping[str, Any] | None
    ) -> tuple[list[Approval], int, dict[str, Any] | None]:
        """Newest first: the rows of a page, the total, and the key to go on from."""


class DynamoApprovals:
    """ApprovalStore on the table `workflows`."""

    def __init__(self, scope: TenantScope) -> None:
        self._scope = scope

    def open(self, approval: Approval) -> Approval:
        try:
            with store_errors():
                self._item(approval).save(condition=ApprovalItem.pk.does_not_exist())
            return approval
        except ConditionFailed:
            known = self.get(approval.id)
        while known.status == "pending" and known.task_token != approval.task_token:
            try:
                return self.change(known, replace(known, task_token=approval.task_token))
            except ApprovalChanged:
                known = self.get(approval.id)
        return known

    def get(self, approval_id: str) -> Approval:
        with store_errors():
            try:
                item = ApprovalItem.get(
                    self._scope.pk, key("APPROVAL", approval_id), consistent_read=True
                )
            except ApprovalItem.DoesNotExist:
                raise NotFound from None
        return approval_of(item)

    def change(self, old: Approval, new: Approval) -> Approval:
        made = replace(new, revision=old.revision + 1)
        try:
            with store_errors():
                self._item(made).save(condition=ApprovalItem.revision == old.revision)
        except ConditionFailed:
            raise ApprovalChanged from None
        return made

    def page(
        self, filters: ApprovalFilters, skip: int, limit: int, start: Mapping[str, Any] | None
    ) -> tuple[list[Approval], int, dict[str, Any] | None]:
        below = None if start is None else str(start["at"])
        rows, more = page_of(self._newest(filters, below), skip, limit)
        next_key = {"at": place_of(rows[-1].requested_at, rows[-1].id)} if more else None
        return rows, self._total(filters), next_key

    def _newest(self, filters: ApprovalFilters, below: str | None) -> Iterator[Approval]:
        range_ = None if below is None else ApprovalItem.gsi1sk < below
        with store_errors():
            for item in ApprovalItem.by_time.query(
                f"{self._scope.pk}#APPROVALS", range_, _condition(filters), scan_index_forward=False
            ):
                yield approval_of(item)

    def _total(self, filters: ApprovalFilters) -> int:
        with store_errors():
            return int(
                ApprovalItem.by_time.count(
                    f"{self._scope.pk}#APPROVALS", filter_condition=_condition(filters)
                )
            )

    def _item(self, approval: Approval) -> ApprovalItem:
        at = approval.requested_at
        return ApprovalItem(
            self._scope.pk,
            key("APPROVAL", approval.id),
            gsi1pk=f"{self._scope.pk}#APPROVALS",
            gsi1sk=place_of(at, approval.id),
            tenant_id=self._scope.tenant_id,
            id=approval.id,
            execution_id=approval.execution_id,
            workflow_id=approval.workflow_id,
            step_id=approval.step_id,
            subject_hash=approval.subject_hash,
            title=approval.title,
            description=approval.description,
            status=approval.status,
            requested_by=approval.requested_by,
            requested_at=at,
            quorum=approval.quorum,
            approver_role=approval.approver_role,
            approvers=list(approval.approvers),
            votes=[_vote(vote) for vote in approval.votes],
            revision=approval.revision,
            task_token=approval.task_token,
            answered=approval.answered,
            decided_at=approval.decided_at,
            expires_at=approval.expires_at,
            expires=epoch(approval.expires_at + EXECUTION_KEPT),
            created_at=at,
            updated_at=approval.decided_at or at,
        )


def _condition(filters: ApprovalFilters) -> Condition | None:
    over = ApprovalItem.expires_at <= filters.now
    pending = ApprovalItem.status == "pending"
    if filters.status is None:
        return None
    wanted: Condition = ApprovalItem.status == filters.status
    if filters.status == "pending":
        wanted = pending & (ApprovalItem.expires_at > filters.now)
    elif filters.status == "expired":
        wanted = wanted | (pending & over)
    return wanted


def _vote(vote: Vote) -> dict[str, Any]:
    return {**vars(vote), "decided_at": iso(vote.decided_at)}


def approval_of(item: ApprovalItem) -> Approval:
    """The domain object of a stored approval."""
    status: Any = item.status
    votes = tuple(
        Vote(**{**vote, "decided_at": datetime.fromisoformat(vote["decided_at"])})
        for vote in item.votes
    )
    return Approval(
        id=item.id,
        execution_id=item.execution_id,
        workflow_id=item.workflow_id,
        step_id=item.step_id,
        subject_hash=item.subject_hash,
        title=item.title,
        description=item.description,
        requested_by=item.requested_by,
        requested_at=item.requested_at,
        quorum=int(item.quorum),
        approver_role=item.approver_role,
        expires_at=item.expires_at,
        task_token=item.task_token,
        approvers=tuple(item.approvers),
        status=status,
        votes=votes,
        revision=int(item.revision),
        answered=bool(item.answered),
        decided_at=item.decided_at,
    )
