"""One list of approvals over two keepers: governance's own, and those of workflow steps."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import islice
from typing import Any

from tidegate_kit.auth.principal import Principal
from tidegate_kit.errors import NotFound
from tidegate_kit.tenancy import TenantScope

from tidegate.governance import wiring
from tidegate.governance.domain import Approval
from tidegate.governance.repository.approvals import ApprovalFilters
from tidegate.governance.repository.keys import place_of
from tidegate.governance.service.approvals import Ballot
from tidegate.workflows.public import governance as workflows

__all__ = ["Ballot", "cancel", "decide", "get", "page"]

AnyApproval = Approval | workflows.Approval


def page(
    scope: TenantScope,
    filters: ApprovalFilters,
    skip: int,
    limit: int,
    start: Mapping[str, Any] | None,
) -> tuple[list[AnyApproval], int, dict[str, Any] | None]:
    """Newest first: the rows of a page, the total, and the key to go on from."""
    steps, step_total = _of_steps(scope, filters, skip + limit + 1, start)
    own, own_total = _own(scope, filters, start)
    merged: Iterator[AnyApproval] = heapq.merge(own, iter(steps), key=_place, reverse=True)
    rows = list(islice(merged, skip, skip + limit + 1))
    more = len(rows) > limit
    rows = rows[:limit]
    return rows, own_total + step_total, {"at": _place(rows[-1])} if more else None


def get(scope: TenantScope, approval_id: str) -> AnyApproval:
    """An approval of either keeper. Raises NotFound."""
    try:
        return wiring.approvals_of(scope).get(approval_id)
    except NotFound:
        return workflows.approval(scope, approval_id)


def decide(principal: Principal, approval_id: str, ballot: Ballot) -> AnyApproval:
    """Count the caller's vote. Raises what the keepers raise."""
    try:
        return wiring.approvals_of(principal.tenant).decide(approval_id, principal.user_id, ballot)
    except NotFound:
        return workflows.decide_approval(
            principal.tenant, approval_id, _voter(principal), ballot.decision,
            ballot.subject_hash, ballot.comment,
        )  # fmt: skip


def cancel(principal: Principal, approval_id: str) -> AnyApproval:
    """Close an approval undecided. Raises what the keepers raise."""
    try:
        return wiring.approvals_of(principal.tenant).cancel(
            approval_id, principal.user_id, is_owner=principal.is_owner
        )
    except NotFound:
        return workflows.cancel_approval(principal.tenant, approval_id, _voter(principal))


def _voter(principal: Principal) -> workflows.Voter:
    return workflows.Voter(principal.user_id, principal.email, principal.roles, principal.is_owner)


def _own(
    scope: TenantScope, filters: ApprovalFilters, start: Mapping[str, Any] | None
) -> tuple[Iterator[AnyApproval], int]:
    if filters.subject_type == "workflow_step":
        return iter(()), 0
    store = wiring.approval_store(scope)
    below = None
    if start is not None:
        moment, _, id_ = str(start["at"]).partition("#")
        below = (datetime.fromisoformat(moment), id_)
    return store.newest(filters, below), store.total(filters)


def _of_steps(
    scope: TenantScope, filters: ApprovalFilters, most: int, start: Mapping[str, Any] | None
) -> tuple[list[AnyApproval], int]:
    if filters.subject_type not in (None, "workflow_step"):
        return [], 0
    rows, total, _ = workflows.approvals(scope, filters.status, filters.now, 0, most, start)
    return list(rows), total


def _place(approval: AnyApproval) -> str:
    return place_of(approval.requested_at, approval.id)
