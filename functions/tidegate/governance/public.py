"""What other domains may use: policy decisions, approvals, the audit log.

Callers need read and write on the table `governance` and read on `identity`; deciding imports
Cedar, lazily.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Literal

from tidegate_kit.auth.principal import Principal
from tidegate_kit.clock import Clock, system_clock
from tidegate_kit.dynamo import Transaction
from tidegate_kit.errors import PolicyDenied
from tidegate_kit.tenancy import TenantScope

from tidegate.governance import wiring
from tidegate.governance.domain import (
    Actor,
    Approval,
    AuditAct,
    Decision,
    NewApproval,
    PolicyContext,
    PolicyPrincipal,
    PolicyResource,
    Vote,
)
from tidegate.governance.errors import (
    AlreadyDecided,
    ApprovalClosed,
    SelfApproval,
    SubjectChanged,
)
from tidegate.governance.repository.approvals import ApprovalFilters
from tidegate.governance.repository.audit import AuditFilters
from tidegate.governance.service.audit import AuditService

__all__ = [
    "Actor",
    "AlreadyDecided",
    "Approval",
    "ApprovalClosed",
    "AuditAct",
    "AuditFilters",
    "AuditService",
    "Decision",
    "NewApproval",
    "PolicyContext",
    "PolicyPrincipal",
    "PolicyResource",
    "SelfApproval",
    "SubjectChanged",
    "Vote",
    "add_approval",
    "approval",
    "approvals_of",
    "audit_log",
    "close_approval",
    "decide",
    "decide_many",
    "forget_tenant",
    "member_principal",
    "pending_approvals",
    "permit",
    "policy_principal",
    "record_audit",
]


def policy_principal(principal: Principal) -> PolicyPrincipal:
    """The signed-in caller as policies see him; an owner is also a client (AUTH-15)."""
    roles = wiring.roles_of(principal.roles, principal.is_owner)
    return PolicyPrincipal(principal.user_id, roles, principal.email)


def member_principal(scope: TenantScope, user_id: str) -> PolicyPrincipal | None:
    """A member as stored now, for what is done in his name later (WF-16): the starter of a
    workflow, the owner of a schedule. None where there is no active member with this id."""
    return wiring.principal_of(scope, user_id)


def decide(
    scope: TenantScope,
    principal: PolicyPrincipal,
    action: str,
    resource: PolicyResource,
    context: PolicyContext,
    *,
    clock: Clock = system_clock,
) -> Decision:
    """Ask the tenant's policies, and record what they say. `action`: see GOV-1.

    A policy that cannot be evaluated is a deny, never an exception. Raises ServiceUnavailable
    when the store does not answer.
    """
    return decide_many(scope, principal, [(action, resource, context)], clock=clock)[0]


def decide_many(
    scope: TenantScope,
    principal: PolicyPrincipal,
    questions: Sequence[tuple[str, PolicyResource, PolicyContext]],
    *,
    clock: Clock = system_clock,
) -> list[Decision]:
    """As `decide`, each (action, resource, context) by itself, under one reading of policies."""
    return wiring.deciding_of(scope, clock).decide(principal, questions)


def permit(
    scope: TenantScope,
    principal: PolicyPrincipal | None,
    action: Literal["workflow.execute", "communication.send", "pipeline.run"],
    resource: PolicyResource,
    *,
    clock: Clock = system_clock,
) -> None:
    """Ask about an act that begins at once; nothing waits for an approval of it (ADR 0029).

    `principal` None: nobody is there any more to answer for it. Raises PolicyDenied where the
    policies deny or require an approval, and ServiceUnavailable.
    """
    if principal is None:
        raise PolicyDenied("Nobody is there to answer for this.")
    effect = decide(scope, principal, action, resource, PolicyContext(), clock=clock).effect
    if effect == "require_approval":
        raise PolicyDenied(
            "A policy wants an approval of this, and it cannot wait for one. Put an approval step"
            " into a workflow, or ask who keeps the policies."
        )
    if effect != "allow":
        raise PolicyDenied


def add_approval(
    transaction: Transaction, scope: TenantScope, new: NewApproval, now: datetime
) -> None:
    """Add a pending approval to the caller's transaction, so that it exists when its subject does.

    Write names: `approval`, `approval-due`.
    """
    wiring.approvals_of(scope).add(transaction, new, now)


def approval(scope: TenantScope, approval_id: str, *, clock: Clock = system_clock) -> Approval:
    """An approval that `add_approval` made; expired where its time is over. Raises NotFound."""
    return wiring.approvals_of(scope, clock).get(approval_id)


def approvals_of(
    scope: TenantScope, approval_ids: Iterable[str], *, clock: Clock = system_clock
) -> dict[str, Approval]:
    """Approvals by id; absent ones are left out."""
    return wiring.approvals_of(scope, clock).many(approval_ids)


def close_approval(
    scope: TenantScope,
    approval_id: str,
    *,
    status: Literal["cancelled", "expired"] = "cancelled",
    by: str,
    clock: Clock = system_clock,
) -> Approval:
    """Close an approval because its subject is gone; a closed one stays as it is.

    `by` is a user id or "system". Raises NotFound.
    """
    return wiring.approvals_of(scope, clock).close(approval_id, status, by)


def pending_approvals(scope: TenantScope, now: datetime) -> int:
    """How many of those that `add_approval` made wait for a vote and are not expired.

    Those of workflow steps are their own domain's. Raises ServiceUnavailable.
    """
    return wiring.approval_store(scope).total(ApprovalFilters(now, "pending"))


def record_audit(scope: TenantScope, acts: Sequence[AuditAct]) -> None:
    """Append to the tenant's audit log; an act whose source_id is known is left out.

    For acts that no followed table stream tells of. Needs the setting DATA_BUCKET.
    Raises ServiceUnavailable.
    """
    wiring.audit_of(scope).append(acts)


def audit_log(scope: TenantScope) -> AuditService:
    """A tenant's audit log, for administrators. Needs the setting DATA_BUCKET."""
    return wiring.audit_of(scope)


def forget_tenant(scope: TenantScope, limit: int) -> bool:
    """Erase about `limit` rows of a tenant, the audit log too; True when nothing is left.

    Needs the setting DATA_BUCKET. Raises ServiceUnavailable.
    """
    return wiring.erasure_of(scope).some(limit)
