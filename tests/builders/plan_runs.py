"""One plan of one item in a world, and its run as the machine makes it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from tidegate.findings.actions import declared_actions
from tidegate.findings.plans.domain import Entry, Person, Plan, PlanDecision, PlanItem, plan_hash
from tidegate.findings.plans.repository import DynamoPlans
from tidegate.findings.plans.wiring import runs_of
from tidegate_kit.clock import Clock, FixedClock, system_clock
from tidegate_kit.dynamo import Transaction
from tidegate_kit.ids import new_id

from tests.builders.remediation import RemediationWorld
from tests.fakes.strict_aws import StrictAws

LATER = datetime.now(UTC) + timedelta(days=40)  # uploads of the tests are old by then


def store_plan(
    world: RemediationWorld, *, name: str, subject: Any = None, status: str = "executing"
) -> tuple[Plan, PlanItem]:
    """A plan with one item as if it had been approved and begun."""
    item = world.item(subject or world.make(name))
    now = system_clock()
    now = now.replace(microsecond=now.microsecond // 1000 * 1000)
    expires = now + timedelta(hours=72)
    run_id = new_id()
    kind: Any = status
    plan = Plan(
        id=new_id(), status=kind, plan_hash=plan_hash((item,), expires), items=(item,),
        decision=PlanDecision("allow", (), {}, 0, "client"),
        created_by=Person(new_id(), ("client",), None), created_at=LATER, expires_at=expires,
        execution_id=run_id, executed_at=now, run_id=run_id,
        run_deadline_at=now + timedelta(hours=8),
    )  # fmt: skip
    writes = Transaction()
    DynamoPlans(world.scope).add(writes, plan)
    writes.commit()
    return plan, item


def forward(world: RemediationWorld, plan: Plan, now: datetime | None = None) -> None:
    """The run, as the machine does it."""
    clock: Clock = system_clock if now is None else FixedClock(now)
    runs = runs_of(world.scope, clock)
    for item_id in runs.begin(plan.id, str(plan.run_id)):
        for _ in range(20):
            if runs.item(plan.id, str(plan.run_id), item_id).done:
                break
    runs.finish(plan.id, str(plan.run_id))


def entry_of(world: RemediationWorld, plan: Plan) -> Entry:
    found = DynamoPlans(world.scope).entry(plan.id, plan.items[0].id)
    assert found is not None
    return found


READS = frozenset(
    name for name in declared_actions() if name.partition(":")[2].startswith(("Describe", "Get"))
)


def writes_of(aws: StrictAws, since: int) -> list[str]:
    """Calls since then that change something in the customer's account."""
    own = {action.partition(":")[2] for action in declared_actions() - READS}
    return [f"{call[0]}.{call[1]}" for call in aws.calls[since:] if call[1] in own]
