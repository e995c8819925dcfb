"""An executor that dies at any call, and actions that cannot be undone (G30)."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from moto.dynamodb.models import dynamodb_backends
from tidegate.findings.actions import ACTIONS, MARK
from tidegate.findings.plans.domain import Plan, PlanItem
from tidegate.findings.plans.executor import job_of
from tidegate.findings.plans.repository import DynamoPlans
from tidegate.findings.plans.wiring import plan_service
from tidegate_kit.session_policy import Grant
from tidegate_kit.settings import Settings

from tests.builders.plan_runs import LATER, entry_of, forward, store_plan
from tests.builders.plans import make_machine
from tests.builders.remediation import SUBJECTS, RemediationWorld, remediation_world
from tests.builders.settings import PLATFORM_ACCOUNT, PREFIX, REGION
from tests.fakes.faults import Kind, enumerate_faults
from tests.fakes.strict_aws import StrictAws


@pytest.fixture
def world(
    platform: Settings, strict_aws: StrictAws, monkeypatch: pytest.MonkeyPatch
) -> RemediationWorld:
    # Half a thousand images of moto's own, and their snapshots, would be searched at every read.
    monkeypatch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
    make_machine(monkeypatch)
    return remediation_world(platform, strict_aws)


@dataclass
class Case:
    """One plan in one world, for one fault."""

    world: RemediationWorld
    plan: Plan
    item: PlanItem


KILLS = (Kind.KILL_BEFORE, Kind.KILL_AFTER)


def _cases() -> list[Any]:
    kills = [pytest.param(name, KILLS, id=f"{name}, kills") for name in SUBJECTS]
    other = tuple(kind for kind in Kind if kind not in KILLS)
    slow = [
        pytest.param(name, other, marks=pytest.mark.slow, id=f"{name}, other faults")
        for name in SUBJECTS
    ]
    return [*kills, *slow]


def _forget_plans() -> None:
    # moto copies a whole table at each write of a transaction: the plans of other cases with it.
    dynamodb_backends[PLATFORM_ACCOUNT][REGION].tables[f"{PREFIX}-findings"].items.clear()


def _blindly(call: str, **named: str) -> Callable[..., Any]:
    """Making a marked snapshot or volume anew at every try: nobody looks for an earlier one."""

    def make(self: Any, account: Any, job: Any) -> Any:
        client = account.client("ec2", [Grant((f"ec2:{call}", "ec2:CreateTags"), patterns=("*",))])
        tags = [{"Key": MARK, "Value": job.key}]
        if call == "CreateSnapshot":
            marked = [{"ResourceType": "snapshot", "Tags": tags}]
            return client.create_snapshot(VolumeId=job.ref.short_id, TagSpecifications=marked)
        marked = [{"ResourceType": "volume", "Tags": tags}]
        place = {name: job.captured[kept] for name, kept in named.items()}
        return client.create_volume(TagSpecifications=marked, **place)

    return make


def _counted(service: str, operation: str) -> bool:
    # Opening a session changes nothing, and a failing one is the failing read after it.
    return service != "sts"


@pytest.mark.hazard("G30")
@pytest.mark.bite(
    "tidegate.findings.actions.ec2_volumes.DeleteVolume._final_snapshot",
    replacement=_blindly("CreateSnapshot"), cases=("ec2.delete_volume, kills",),
)  # fmt: skip
@pytest.mark.parametrize(("name", "kinds"), _cases())
def test_kill_the_executor_anywhere(
    world: RemediationWorld, name: str, kinds: tuple[Kind, ...]
) -> None:
    """G30: died at any call: done once, undo entry before the act, one ledger entry."""

    @contextlib.contextmanager
    def fresh() -> Iterator[Case]:
        plan, item = store_plan(world, name=name)
        yield Case(world, plan, item)
        _forget_plans()

    def run(case: Case) -> None:
        forward(case.world, case.plan, LATER)

    def holds(case: Case) -> None:
        entry = entry_of(case.world, case.plan)
        assert entry.step == "done", entry
        assert entry.problem is None
        action = ACTIONS[case.item.action]
        found = case.world.read(case.item.ref)
        assert action.phase(found, job_of(entry, case.item, LATER)) == "applied"
        plans = DynamoPlans(case.world.scope)
        assert plans.get(case.plan.id).status == "executed"
        assert plans.ledger_entry(case.plan.id, case.item.id) is not None
        assert len(_marked(case)) == (1 if name == "ec2.delete_volume" else 0)

    enumerate_faults(
        run, run, holds, fresh, name=f"execute {name}", counts=_counted, kinds=kinds, redeliveries=1
    )


def _marked(case: Case) -> list[str]:
    marks = [{"Name": f"tag:{MARK}", "Values": [case.item.id]}]
    ec2 = case.world.customer.client("ec2")
    found = ec2.describe_snapshots(OwnerIds=["self"], Filters=marks)["Snapshots"]
    return [one["SnapshotId"] for one in found]


REVERSIBLE = [name for name in SUBJECTS if ACTIONS[name.partition(" ")[0]].reversible]


@pytest.mark.hazard("G30")
@pytest.mark.bite(
    "tidegate.findings.actions.ec2_volumes.DeleteVolume._restored",
    replacement=_blindly(
        "CreateVolume", SnapshotId="snapshot_id", AvailabilityZone="availability_zone"
    ),
    cases=("ec2.delete_volume",),
)
@pytest.mark.parametrize("name", REVERSIBLE)
def test_kill_the_undo_anywhere(world: RemediationWorld, name: str) -> None:
    """G30: an undo that died at any call ends as one undo: one volume, no snapshot left."""

    @contextlib.contextmanager
    def fresh() -> Iterator[Case]:
        plan, item = store_plan(world, name=name)
        forward(world, plan)
        started = plan_service(world.scope).undo(plan.id, None, "somebody")
        yield Case(world, started, item)
        _forget_plans()

    def run(case: Case) -> None:
        forward(case.world, case.plan)

    def holds(case: Case) -> None:
        entry = entry_of(case.world, case.plan)
        assert (entry.step, entry.problem) == ("undone", None), entry
        if name != "ec2.delete_volume":
            found = case.world.read(case.item.ref)
            job = job_of(entry, case.item, LATER)
            assert ACTIONS[case.item.action].phase(found, job) == "before"
            return
        assert _marked(case) == []
        source = [{"Name": "snapshot-id", "Values": [entry.captured["snapshot_id"]]}]
        made = case.world.customer.client("ec2").describe_volumes(Filters=source)["Volumes"]
        assert [one["VolumeId"] for one in made] == [entry.restored["volume_id"]]

    enumerate_faults(
        run, run, holds, fresh, name=f"undo {name}", counts=_counted, kinds=KILLS, redeliveries=1
    )
