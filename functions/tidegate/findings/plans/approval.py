"""What policies and approvals mean for a plan: the strictest answer, and who must have voted."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from tidegate_kit.errors import Detail

from tidegate.findings.plans.domain import Person, Plan, PlanDecision, PlanItem
from tidegate.findings.plans.errors import PlanDrift, PlanNotApproved, PolicyDenied
from tidegate.findings.plans.ports import Governance, Question
from tidegate.governance.public import (
    Approval,
    Decision,
    NewApproval,
    PolicyContext,
    PolicyPrincipal,
    PolicyResource,
)

APPROVERS_OF_IRREVERSIBLE: Final = 2  # FND-10
_ROLES: Final = ("user", "client", "admin", "owner")  # from the weakest on


def ask(governance: Governance, person: Person, items: Sequence[PlanItem]) -> list[Decision]:
    """One decision for each item. Raises PolicyDenied naming the items that are denied."""
    principal = PolicyPrincipal(person.id, person.roles, person.email)
    decisions = governance.decide(principal, [_question(item, len(items)) for item in items])
    denied = [
        Detail(f"items.{item.id}", f"{item.action} is not allowed here")
        for item, decision in zip(items, decisions, strict=True)
        if decision.effect not in ("allow", "require_approval")
    ]
    if denied:
        raise PolicyDenied(details=denied)
    return decisions


def _question(item: PlanItem, count: int) -> Question:
    resource = PolicyResource(
        arn=item.arn,
        type=item.type,
        region=item.region,
        account=item.account_id,
        tags=item.tags,
        reversible=item.reversible,
    )
    monthly = item.monthly
    context = PolicyContext(
        monthly_saving_cents=0 if monthly is None else int(monthly * 100),
        item_count=count,
        environment=_environment(item),
    )
    return item.action, resource, context


def _environment(item: PlanItem) -> str:
    tags = {name.lower(): value for name, value in item.tags.items()}
    return tags.get("environment", tags.get("env", ""))


def strictest(decisions: Sequence[Decision], items: Sequence[PlanItem]) -> PlanDecision:
    """The plan's decision: irreversible items need two approvers whatever policies say."""
    quorum = max((decision.quorum for decision in decisions), default=0)
    asked = [decision for decision in decisions if decision.effect == "require_approval"]
    if not all(item.reversible for item in items):
        quorum = max(quorum, APPROVERS_OF_IRREVERSIBLE)
    required = bool(asked) or quorum >= APPROVERS_OF_IRREVERSIBLE
    versions: dict[str, int] = {}
    for decision in decisions:
        versions.update(decision.policy_versions)
    roles = {decision.approver_role for decision in asked} or {"client"}
    return PlanDecision(
        effect="require_approval" if required else "allow",
        policy_ids=tuple(sorted({name for one in decisions for name in one.policy_ids})),
        policy_versions=versions,
        quorum=max(quorum, 1) if required else 0,
        approver_role=max(roles, key=lambda role: _ROLES.index(role) if role in _ROLES else 0),
    )


def expiry(decisions: Sequence[Decision], plan_expires: datetime, now: datetime) -> datetime:
    """When the approval expires: with the plan, or earlier where a policy says so."""
    hours = [one.expiry_hours for one in decisions if one.expiry_hours > 0]
    return min([plan_expires, *(now + timedelta(hours=value) for value in hours)])


def new_approval(plan: Plan, approval_id: str, expires_at: datetime) -> NewApproval:
    """The approval that a plan asks for, bound to its hash."""
    count = len(plan.items)
    monthly = [item.monthly for item in plan.items if item.monthly is not None]
    irreversible = sum(not item.reversible for item in plan.items)
    lines = [f"{item.action} on {item.arn}" for item in plan.items]
    return NewApproval(
        id=approval_id,
        subject_type="plan",
        subject_id=plan.id,
        subject_hash=plan.plan_hash,
        title=f"Remediation plan of {count} action{'s' if count > 1 else ''}",
        description=(
            f"Saves {sum(monthly):.2f} USD a month by estimate. "
            f"{irreversible} of {count} cannot be undone.\n" + "\n".join(lines)
        ),
        requested_by=plan.created_by.id,
        quorum=plan.decision.quorum,
        approver_role=plan.decision.approver_role,
        policy_ids=plan.decision.policy_ids,
        expires_at=expires_at,
    )


def must_be_bound(plan: Plan, approval: Approval | None) -> None:
    """Raise unless exactly this plan was approved by enough people (GOV-4, G27).

    Raises PlanDrift when the plan or what was approved is something else, PlanNotApproved when
    votes are missing.
    """
    if not plan.intact():
        raise PlanDrift(details=[Detail("plan_hash", "does not fit the plan any more")])
    if plan.decision.effect == "allow" and not plan.irreversible:
        return
    if approval is None:
        raise PlanNotApproved
    about = (approval.subject_type, approval.subject_id, approval.subject_hash)
    if about != ("plan", plan.id, plan.plan_hash):
        raise PlanDrift(details=[Detail("approval_id", "is about something else")])
    voters = {
        vote.user_id
        for vote in approval.approvals
        if vote.decision == "approve" and vote.subject_hash == plan.plan_hash
    } - {plan.created_by.id}
    needed = APPROVERS_OF_IRREVERSIBLE if plan.irreversible else 1
    if approval.status != "approved" or len(voters) < max(needed, plan.decision.quorum):
        raise PlanNotApproved
