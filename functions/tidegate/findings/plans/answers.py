"""From plans to the answers of contract 2.10."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from tidegate.findings.answers import money
from tidegate.findings.plans import schemas
from tidegate.findings.plans.domain import Entry, Plan, PlanItem


def plan(of: Plan, entries: Mapping[str, Entry]) -> schemas.PlanView:
    """One plan and where its items stand."""
    known = [item.monthly for item in of.items if item.monthly is not None]
    return schemas.PlanView(
        id=of.id,
        status=of.status,
        plan_hash=of.plan_hash,
        items=[_item(item, entries.get(item.id)) for item in of.items],
        totals=schemas.TotalsView(
            monthly=money(sum(known, Decimal(0))), unpriced=len(of.items) - len(known)
        ),
        decision=schemas.DecisionView(
            effect=of.decision.effect,
            policy_ids=list(of.decision.policy_ids),
            quorum=of.decision.quorum,
        ),
        approval_id=of.approval_id,
        execution_id=of.execution_id,
        created_by=of.created_by.id,
        created_at=of.created_at,
        expires_at=of.expires_at,
    )


def _item(item: PlanItem, entry: Entry | None) -> schemas.ItemView:
    problem = None if entry is None else entry.problem
    return schemas.ItemView(
        item_id=item.id,
        finding_id=item.finding_id,
        resource_arn=item.arn,
        fingerprint=item.fingerprint,
        action=item.action,
        parameters=dict(item.parameters),
        monthly=None if item.monthly is None else money(item.monthly),
        reversible=item.reversible,
        undo_until=None if entry is None else entry.undo_until,
        status="pending" if entry is None else entry.status,
        error=None
        if problem is None
        else schemas.ProblemView(code=problem.code, message=problem.message),
    )
