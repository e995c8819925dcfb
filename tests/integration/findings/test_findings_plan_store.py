"""One contract for the stored plans and their twin in memory."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from tidegate.findings.plans.domain import (
    Entry,
    LedgerEntry,
    Person,
    Plan,
    PlanDecision,
    PlanItem,
    Problem,
    plan_hash,
)
from tidegate.findings.plans.errors import Superseded
from tidegate.findings.plans.repository import DynamoPlans, Plans
from tidegate_kit.dynamo import Transaction
from tidegate_kit.errors import NotFound
from tidegate_kit.ids import new_id
from tidegate_kit.tenancy import TenantScope

from tests.fakes.findings_plans import MemoryPlans

NOW = datetime(2026, 3, 2, 10, 0, 0, tzinfo=UTC)


@pytest.fixture(params=["stored", "memory"])
def store(request: pytest.FixtureRequest) -> Plans:
    if request.param == "memory":
        return MemoryPlans()
    request.getfixturevalue("platform")
    return DynamoPlans(TenantScope(new_id()))


def item() -> PlanItem:
    return PlanItem(
        id=new_id(), finding_id=new_id(), check_id="c", account_id="222222222222",
        onboarding_id=new_id(), region="us-east-1", arn="arn:aws:ec2:us-east-1:2:volume/vol-1",
        type="ec2:volume", tags={"a": "b"}, fingerprint="f" * 64, action="ec2.delete_volume",
        parameters={}, price={"monthly": "1.50"}, reversible=True,
    )  # fmt: skip


def add(store: Plans, minutes: int = 0, **changes: Any) -> Plan:
    items, expires = (item(),), NOW + timedelta(hours=72)
    values: dict[str, Any] = {
        "id": new_id(), "status": "approved", "plan_hash": plan_hash(items, expires),
        "items": items, "decision": PlanDecision("allow", ("p",), {"p": 1}, 0, "client"),
        "created_by": Person(new_id(), ("client",), "a@example.com"),
        "created_at": NOW + timedelta(minutes=minutes), "expires_at": expires,
        "due_at": expires, **changes,
    }  # fmt: skip
    plan = Plan(**values)
    writes = Transaction()
    store.add(writes, plan)
    if len(writes):
        writes.commit()
    return plan


def test_a_plan_comes_back_as_it_was(store: Plans) -> None:
    plan = add(store)
    assert store.get(plan.id) == plan
    assert store.get(plan.id).intact()
    with pytest.raises(NotFound):
        store.get(new_id())


def test_plans_are_paged_newest_first(store: Plans) -> None:
    made = [add(store, minutes).id for minutes in range(5)]
    rows, total, next_key = store.page(0, 2, None)
    assert ([row.id for row in rows], total) == (made[:2:-1], 5)
    rows, _, next_key = store.page(0, 2, next_key)
    assert [row.id for row in rows] == [made[2], made[1]]
    rows, _, next_key = store.page(0, 2, next_key)
    assert ([row.id for row in rows], next_key) == ([made[0]], None)
    assert [row.id for row in store.page(4, 2, None)[0]] == [made[0]]


def test_hidden_plans_take_no_place_in_a_page(store: Plans) -> None:
    made = [add(store, minutes).id for minutes in range(6)]

    def shown(plan: Plan) -> bool:
        return made.index(plan.id) % 2 == 0

    first, total, next_key = store.page(0, 2, None, shown)
    assert ([row.id for row in first], total) == ([made[4], made[2]], 6)
    rest, _, none = store.page(0, 2, next_key, shown)
    assert ([row.id for row in rest], none) == ([made[0]], None)
    assert [row.id for row in store.page(1, 1, None, shown)[0]] == [made[2]]


def test_waiting_plans_are_known_and_dropped_as_they_were_read(store: Plans) -> None:
    waits, runs = add(store, status="pending_approval"), add(store)
    over = add(store)
    store.change(runs, replace(runs, status="executing", due_at=NOW), NOW)
    store.change(over, replace(over, status="rejected", due_at=None), NOW)
    assert [plan.id for plan in store.waiting()] == [waits.id]
    approved = store.change(waits, replace(waits, status="approved"), NOW)
    with pytest.raises(Superseded):
        store.drop(waits, NOW, tx=Transaction())
    assert store.get(waits.id).status == "approved"
    store.drop(approved, NOW, tx=Transaction())
    with pytest.raises(NotFound):
        store.get(waits.id)
    with pytest.raises(Superseded):
        store.drop(approved, NOW, tx=Transaction())
    assert (store.waiting(), store.page(0, 9, None)[1]) == ([], 2)
    assert store.due(NOW + timedelta(days=9), 10) == [runs.id]


def test_a_change_is_of_what_was_read(store: Plans) -> None:
    plan = add(store)
    done = store.change(plan, replace(plan, status="executing", due_at=NOW), NOW)
    assert (done.status, done.version) == ("executing", 2)
    with pytest.raises(Superseded):
        store.change(plan, replace(plan, status="cancelled"), NOW)
    assert store.get(plan.id).status == "executing"


def test_due_plans_are_found_until_they_are_over(store: Plans) -> None:
    early, late = add(store, due_at=NOW), add(store, due_at=NOW + timedelta(minutes=5))
    assert store.due(NOW - timedelta(seconds=1), 10) == []
    assert store.due(NOW, 10) == [early.id]
    assert store.due(NOW + timedelta(hours=1), 10) == [early.id, late.id]
    assert store.due(NOW + timedelta(hours=1), 1) == [early.id]
    store.change(early, replace(early, due_at=None), NOW)
    assert store.due(NOW + timedelta(hours=1), 10) == [late.id]


def test_the_journal_moves_one_step_at_a_time(store: Plans) -> None:
    plan = add(store)
    key = (plan.id, plan.items[0].id)
    assert (store.entry(*key), store.entries(plan)) == (None, {})
    first = store.write(Entry(*key).to("prepared", captured={"tags": {"a": None}}), NOW)
    assert store.entry(*key) == first
    with pytest.raises(Superseded):
        store.write(Entry(*key), NOW)
    second = store.write(first.to("failed", problem=Problem("X", "y"), looks=3), NOW)
    with pytest.raises(Superseded):
        store.write(first.to("acting"), NOW)
    assert store.entries(plan) == {key[1]: second}
    assert (second.captured, second.looks, second.version) == ({"tags": {"a": None}}, 3, 2)


def ledger_of(plan: Plan, days: int) -> LedgerEntry:
    return LedgerEntry(
        id=plan.items[0].id, plan_id=plan.id, item_id=plan.items[0].id, finding_id=new_id(),
        check_id="c", account_id="222222222222", service="EC2 - Other",
        estimated_monthly=Decimal("1.50"), acted_at=NOW + timedelta(days=days),
    )  # fmt: skip


def test_the_ledger_is_written_with_the_journal_and_measured_once(store: Plans) -> None:
    plans = [add(store) for _ in range(3)]
    for days, plan in enumerate(plans):
        entry = Entry(plan.id, plan.items[0].id).to("done", acted_at=NOW)
        store.write(entry, NOW, ledger_of(plan, days))
    every = [one.plan_id for one in store.ledger(None, None)]
    assert every == [plan.id for plan in reversed(plans)]
    some = store.ledger(NOW + timedelta(days=1), NOW + timedelta(days=2))
    assert [one.plan_id for one in some] == [plans[1].id]
    known = store.ledger_entry(plans[0].id, plans[0].items[0].id)
    assert known is not None
    assert (known.estimated_monthly, known.measured) == (Decimal("1.50"), {})
    measured = replace(known, measured={7: Decimal("0.25"), 30: None})
    assert store.measure(measured, NOW)
    assert not store.measure(measured, NOW), "measured twice"
    again = store.ledger_entry(plans[0].id, plans[0].items[0].id)
    assert again is not None
    assert again.measured == {7: Decimal("0.25"), 30: None}
