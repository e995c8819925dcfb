"""Every action on the strict double: through the template's role, with exact rights, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tidegate.discovery.public import Found
from tidegate.findings.actions import ACTIONS, UNDO_HOURS, declared_actions
from tidegate.findings.plans.domain import ENDED_STEPS, Entry, PlanItem
from tidegate.findings.plans.executor import Executor
from tidegate_kit.clock import FixedClock
from tidegate_kit.settings import Settings

from tests.builders.remediation import (
    SUBJECTS,
    RemediationWorld,
    remediation_world,
    role_policies,
)
from tests.builders.settings import REGION
from tests.fakes.strict_aws.actions import iam_action
from tests.fakes.strict_aws.layer import StrictAws

REVERSIBLE = [name for name in SUBJECTS if ACTIONS[name.split(" ")[0]].reversible]
LATER = datetime.now(UTC) + timedelta(days=40)  # uploads of the test are old by then
# What no undo can give back, by type: AWS sets these itself.
NOT_RESTORABLE: Mapping[str, set[str]] = {
    "ec2:instance": {"launched_at", "state_reason", "public_ip"},
    "lambda:function": {"modified_at"},
}


@dataclass
class MemoryJournal:
    """Entries by item."""

    entries: dict[str, Entry] = field(default_factory=dict)

    def entry(self, plan_id: str, item_id: str) -> Entry | None:
        return self.entries.get(item_id)

    def write(self, entry: Entry, now: datetime) -> Entry:
        self.entries[entry.item_id] = entry
        return entry


@pytest.fixture
def world(platform: Settings, strict_aws: StrictAws) -> RemediationWorld:
    return remediation_world(platform, strict_aws)


def done(world: RemediationWorld, item: PlanItem, journal: MemoryJournal) -> Entry:
    executor = Executor(journal, world.accounts, FixedClock(LATER))
    for _ in range(10):
        entry = executor.advance("plan", item, LATER)
        if entry.step in ENDED_STEPS:
            return entry
    pytest.fail(f"still {entry}")


def undone(world: RemediationWorld, item: PlanItem, journal: MemoryJournal) -> Entry:
    executor = Executor(journal, world.accounts, FixedClock(LATER))
    for _ in range(10):
        entry = executor.step_back("plan", item, LATER)
        if entry.step in ENDED_STEPS:
            return entry
    pytest.fail(f"still {entry}")


def fields(found: Found | None) -> dict[str, Any]:
    assert found is not None
    skipped = NOT_RESTORABLE.get(found.type, set())
    if found.attributes.get("volume_type") == "gp2":
        skipped = {"iops", "throughput_mbps"}  # AWS derives them from the size; moto keeps them
    kept = {name: value for name, value in found.attributes.items() if name not in skipped}
    return {"state": found.state, "tags": dict(found.tags), "name": found.name, **kept}


@pytest.mark.parametrize("name", SUBJECTS)
def test_every_action_is_done_with_the_rights_it_declares(
    world: RemediationWorld, name: str
) -> None:
    subject = world.make(name)
    item, action, journal = world.item(subject), ACTIONS[subject.action], MemoryJournal()
    before = len(world.aws.calls)
    entry = done(world, item, journal)
    assert (entry.step, entry.problem) == ("done", None)
    assert (entry.undo_until is not None) == action.reversible
    if entry.undo_until is not None:
        assert entry.undo_until - LATER == timedelta(hours=UNDO_HOURS)
    used = {iam_action(service, call) for service, call, *_ in world.aws.calls[before:]}
    written = {one for one in used if _writes(one)}
    assert written <= action.iam_actions, "an undeclared write"


def _writes(action: str) -> bool:
    service, _, call = action.partition(":")
    return service not in ("sts", "iam") and (
        not call.startswith(("Describe", "List", "Get")) and service != "tidegate"
    ) and not (service == "dynamodb" and call != "UpdateTable")  # fmt: skip


def snapshots_of(world: RemediationWorld) -> set[str]:
    """Ids of all snapshots of the region; the double has those of its public images too."""
    found = world.customer.client("ec2").describe_snapshots(OwnerIds=["self"])["Snapshots"]
    return {one["SnapshotId"] for one in found}


@pytest.mark.parametrize("name", REVERSIBLE)
def test_an_undo_restores_every_restorable_field(world: RemediationWorld, name: str) -> None:
    subject = world.make(name)
    item, journal = world.item(subject), MemoryJournal()
    ref = world.ref(subject)
    before, snapshots = fields(world.read(ref)), snapshots_of(world)
    entry = done(world, item, journal)
    assert entry.step == "done", entry
    changed = world.read(ref)
    assert changed is None or fields(changed) != before, "nothing was done"
    entry = undone(world, item, journal)
    assert (entry.step, entry.problem) == ("undone", None)
    if subject.action == "ec2.delete_volume":
        arn = subject.arn.rpartition("/")[0] + f"/{entry.restored['volume_id']}"
        after = fields(world.read(type(ref)(ref.account_id, ref.region, ref.type, arn)))
        for made_by_aws in ("created_at", "snapshot_id"):
            after.pop(made_by_aws, None)
            before.pop(made_by_aws, None)
        assert after == before
        assert snapshots_of(world) == snapshots, "the final snapshot is left"
    else:
        assert fields(world.read(ref)) == before


def test_an_unchanged_resource_keeps_the_fingerprint_of_the_inventory(
    world: RemediationWorld,
) -> None:
    from tidegate.discovery.collectors import COLLECTORS
    from tidegate.discovery.collectors.base import Target

    made = [world.make(name) for name in SUBJECTS]
    listed: dict[str, Found] = {}
    for collector in {COLLECTORS[s] for s in _services()}:
        page = collector.collect(
            world.customer, Target(world.registration.account_id, REGION, LATER), None
        )
        listed.update({found.arn: found for found in page.resources})
    for subject in made:
        again = world.read(world.ref(subject), LATER)
        assert again is not None, subject
        assert again.fingerprint == listed[subject.arn].fingerprint, subject


def _services() -> set[str]:
    return {
        "ec2-instances", "ec2-volumes", "ec2-snapshots", "ec2-images", "ec2-addresses",
        "ec2-nat-gateways", "ec2-vpc-endpoints", "elb", "elbv2", "rds-instances", "s3", "logs",
        "lambda", "dynamodb", "ecr",
    }  # fmt: skip


def test_the_customers_role_allows_what_actions_declare_and_nothing_more() -> None:
    policies = role_policies("remediate")
    given = {
        action
        for statement in policies["tidegate-remediate"]["Statement"]
        for action in statement["Action"]
    }
    reads = {
        action
        for statement in policies["tidegate-read"]["Statement"]
        for action in (
            [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]
        )
    }
    assert declared_actions() <= given | reads
    through = {name for action in ACTIONS.values() for name in action.through}
    assert given <= declared_actions() | through, "the role allows what no action needs"
    assert "tidegate-remediate" not in role_policies("read")
    assert "*" not in json.dumps(sorted(given))
