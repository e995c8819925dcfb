"""Open plans of accounts that are about to be disconnected."""

from __future__ import annotations

from datetime import timedelta

from tidegate.findings.plans.approval import new_approval
from tidegate.findings.plans.domain import Person, Plan, PlanDecision, PlanItem, plan_hash
from tidegate.findings.plans.repository import DynamoPlans
from tidegate.governance import public as governance
from tidegate_kit.clock import system_clock
from tidegate_kit.dynamo import Transaction
from tidegate_kit.ids import new_id
from tidegate_kit.tenancy import TenantScope

from tests.builders.settings import CUSTOMER_ACCOUNT, REGION


def add_open_plan(scope: TenantScope, *onboarding_ids: str) -> Plan:
    """A plan that waits for its approval, with one item for each registration."""
    now = system_clock()
    items = tuple(_item(one) for one in onboarding_ids)
    expires_at = now + timedelta(hours=72)
    plan = Plan(
        id=new_id(),
        status="pending_approval",
        plan_hash=plan_hash(items, expires_at),
        items=items,
        decision=PlanDecision("require_approval", ("p",), {"p": 1}, 1, "client"),
        created_by=Person(new_id(), ("client",), None),
        created_at=now,
        expires_at=expires_at,
        approval_id=new_id(),
        due_at=expires_at,
    )
    writes = Transaction()
    DynamoPlans(scope).add(writes, plan)
    approval = new_approval(plan, str(plan.approval_id), expires_at)
    governance.add_approval(writes, scope, approval, now)
    writes.commit()
    return plan


def _item(onboarding_id: str) -> PlanItem:
    name = new_id()
    return PlanItem(
        id=new_id(), finding_id=new_id(), check_id="ec2-idle", account_id=CUSTOMER_ACCOUNT,
        onboarding_id=onboarding_id, region=REGION, type="ec2:instance", tags={},
        arn=f"arn:aws:ec2:{REGION}:{CUSTOMER_ACCOUNT}:instance/{name}", fingerprint="f" * 64,
        action="ec2.stop_instance", parameters={}, price={"monthly": "1.50"}, reversible=True,
    )  # fmt: skip
