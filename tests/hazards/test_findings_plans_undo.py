"""Undo: its deadline, once, beside the customer, from everywhere (G29)."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from datetime import timedelta

import pytest
from tidegate.findings.plans.domain import Entry, Plan
from tidegate.findings.plans.errors import NotReversible, PlanExecuting, UndoExpired
from tidegate.findings.plans.repository import DynamoPlans
from tidegate.findings.plans.wiring import plan_service
from tidegate_kit.clock import Clock, FixedClock, system_clock
from tidegate_kit.dynamo import Transaction
from tidegate_kit.ids import new_id
from tidegate_kit.settings import Settings
from tidegate_kit.tenancy import TenantScope

from tests.builders.plan_runs import entry_of, forward, store_plan, writes_of
from tests.builders.plans import make_machine
from tests.builders.remediation import RemediationWorld, remediation_world
from tests.fakes.races import race
from tests.fakes.strict_aws import StrictAws


@pytest.fixture
def world(
    platform: Settings, strict_aws: StrictAws, monkeypatch: pytest.MonkeyPatch
) -> RemediationWorld:
    # Half a thousand images of moto's own, and their snapshots, would be searched at every read.
    monkeypatch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
    make_machine(monkeypatch)
    return remediation_world(platform, strict_aws)


def undo(world: RemediationWorld, plan: Plan, clock: Clock = system_clock) -> Entry:
    started = plan_service(world.scope, clock).undo(plan.id, None, "somebody")
    forward(world, started)
    return entry_of(world, plan)


@pytest.mark.hazard("G29")
@pytest.mark.bite("tidegate.findings.plans.service.PlanService._undoable", replacement=(
    lambda self, plan, entries, item_ids: [item.id for item in plan.items]
), cases=("after",))  # fmt: skip
@pytest.mark.parametrize("seconds", [-1, 0, 1], ids=["before", "at", "after"])
def test_an_undo_at_its_deadline(world: RemediationWorld, seconds: int) -> None:
    """G29: until the deadline it works, one second after it is refused with its code."""
    plan, _ = store_plan(world, name="ec2.create_tags")
    forward(world, plan)
    until = entry_of(world, plan).undo_until
    assert until is not None
    clock = FixedClock(until + timedelta(seconds=seconds))
    if seconds <= 0:
        assert undo(world, plan, clock).step == "undone"
        return
    with pytest.raises(UndoExpired):
        undo(world, plan, clock)
    assert entry_of(world, plan).step == "done"


@pytest.mark.hazard("G29")
def test_an_undo_is_done_once(world: RemediationWorld) -> None:
    """G29: a second undo is a stated refusal and changes nothing."""
    plan, _ = store_plan(world, name="ec2.stop_instance")
    forward(world, plan)
    assert undo(world, plan).step == "undone"
    since = len(world.aws.calls)
    with pytest.raises(NotReversible):
        undo(world, plan)
    assert writes_of(world.aws, since) == []


@pytest.mark.hazard("G29")
@pytest.mark.bite("tidegate.findings.actions.ec2_instances.CreateTags.phase", returns="applied")
def test_an_undo_leaves_what_the_customer_has_changed(world: RemediationWorld) -> None:
    """G29: a tag that the customer has set to a third value stays; the refusal says so."""
    plan, item = store_plan(world, name="ec2.create_tags")
    forward(world, plan)
    id_ = item.arn.rpartition("/")[2]
    ec2 = world.customer.client("ec2")
    ec2.create_tags(Resources=[id_], Tags=[{"Key": "team", "Value": "third"}])
    entry = undo(world, plan)
    tags = {
        one["Key"]: one["Value"]
        for one in ec2.describe_volumes(VolumeIds=[id_])["Volumes"][0]["Tags"]
    }
    assert tags["team"] == "third", "the customer's change was overwritten"
    assert entry.step == "done"
    assert entry.problem is not None
    assert entry.problem.code == "CHANGED_SINCE"


@pytest.mark.hazard("G29")
@pytest.mark.bite(
    "tidegate.findings.plans.repository._superseded", replacement=contextlib.nullcontext
)
def test_eight_undos_at_once_are_one(world: RemediationWorld) -> None:
    """G29: 8 undos of one plan at once, 100 rounds: one starts, the others are refused."""
    plan, _ = store_plan(world, name="ec2.stop_instance")
    forward(world, plan)
    done = replace(entry_of(world, plan), version=0)
    plans = [_executed(world.scope, plan, done) for _ in range(100)]

    def attempt(worker: int, number: int) -> str:
        return str(plan_service(world.scope).undo(plans[number], None, f"u{worker}").run_id)

    outcome = race(8, attempt, rounds=100)
    outcome.assert_one_winner(loses_with=PlanExecuting)


def _executed(scope: TenantScope, of: Plan, entry: Entry) -> str:
    plan = replace(of, id=new_id(), status="executed", run_id=None)
    store, writes = DynamoPlans(scope), Transaction()
    store.add(writes, plan)
    writes.commit()
    store.write(replace(entry, plan_id=plan.id), system_clock())
    return plan.id
