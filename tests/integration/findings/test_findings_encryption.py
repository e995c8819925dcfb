"""Volumes under a customer's own key: EC2 may use the key for the undo, and nobody else."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from tidegate.findings.actions import ACTIONS
from tidegate.findings.actions.encryption import CREATE_GRANT, KEY_USES
from tidegate.findings.plans.domain import Entry, PlanItem
from tidegate.findings.plans.executor import Executor
from tidegate.findings.public import action_needs, conditional_needs
from tidegate_kit.clock import system_clock
from tidegate_kit.settings import Settings

from tests.builders.remediation import (
    RemediationWorld,
    Subject,
    ec2_arn,
    remediation_world,
    role_policies,
)
from tests.builders.settings import CUSTOMER_ACCOUNT, REGION
from tests.fakes.findings_plans import MemoryPlans
from tests.fakes.strict_aws import Decision, Request, StrictAws, evaluate

NOW = system_clock() + timedelta(seconds=1)
VIA = {"kms:ViaService": f"ec2.{REGION}.amazonaws.com"}
FOR_AWS = {"kms:GrantIsForAWSResource": "true"}
OTHER_KEY = f"arn:aws:kms:{REGION}:{CUSTOMER_ACCOUNT}:key/0badc0de-0000-4000-8000-000000000000"
FOREIGN_KEY = f"arn:aws:kms:{REGION}:333333333333:key/0badc0de-0000-4000-8000-000000000000"


@pytest.fixture
def world(platform: Settings, strict_aws: StrictAws) -> RemediationWorld:
    return remediation_world(platform, strict_aws)


def encrypted(world: RemediationWorld, key: str) -> Subject:
    made = world.customer.client("ec2").create_volume(
        AvailabilityZone=f"{REGION}a", Size=10, VolumeType="gp3", Encrypted=True, KmsKeyId=key
    )
    return Subject("ec2.delete_volume", "ec2:volume", ec2_arn("volume", made["VolumeId"]))


def run(world: RemediationWorld, item: PlanItem) -> tuple[Executor, Entry]:
    executor = Executor(MemoryPlans(), world.accounts, lambda: NOW)
    return executor, executor.advance("plan", item, NOW)


def allowed(world: RemediationWorld, since: int, action: str, arn: str, **context: str) -> bool:
    """True when some session opened since then may do it, as far as the role may."""
    role = list(role_policies("remediate").values())
    request = Request(action, arn, context)
    return evaluate(role, request) is Decision.ALLOW and any(
        evaluate(one.session_policies, request) is Decision.ALLOW
        for one in world.aws.sessions[since:]
        if one.session_policies
    )


def attempts(action: str, key: str) -> Iterator[tuple[str, dict[str, str], bool]]:
    """Uses of keys that somebody may try, and whether EC2's own is among them."""
    vias = (VIA, {}, {"kms:ViaService": f"s3.{REGION}.amazonaws.com"})
    for arn, via, mine in itertools.product((key, OTHER_KEY), vias, (FOR_AWS, {})):
        wanted = arn == key and via == VIA and (action != CREATE_GRANT or mine == FOR_AWS)
        yield arn, {**via, **mine}, wanted


def test_the_undo_lets_ec2_use_the_volumes_key_and_nothing_else(world: RemediationWorld) -> None:
    key = world.customer.client("kms").create_key()["KeyMetadata"]["Arn"]
    item = world.item(encrypted(world, key))
    start = len(world.aws.sessions)
    executor, entry = run(world, item)
    assert (entry.step, entry.captured["kms_key_id"]) == ("done", key)
    assert not any(allowed(world, start, a, key, **VIA, **FOR_AWS) for a in KEY_USES)
    since = len(world.aws.sessions)
    restored = executor.step_back("plan", item, NOW)
    assert (restored.step, restored.problem) == ("undone", None)
    for action in (*KEY_USES, CREATE_GRANT):
        for arn, context, wanted in attempts(action, key):
            assert allowed(world, since, action, arn, **context) is wanted, (action, arn, context)
    volume = world.customer.client("ec2").describe_volumes(
        VolumeIds=[restored.restored["volume_id"]]
    )["Volumes"][0]
    assert volume["Encrypted"]


def test_a_plain_volume_needs_no_key(world: RemediationWorld) -> None:
    item = world.item(world.make("ec2.delete_volume"))
    start = len(world.aws.sessions)
    executor, _ = run(world, item)
    executor.step_back("plan", item, NOW)
    uses = (*KEY_USES, CREATE_GRANT)
    assert not any(allowed(world, start, a, OTHER_KEY, **VIA, **FOR_AWS) for a in uses)


def test_a_start_lets_ec2_make_grants_and_use_nothing(world: RemediationWorld) -> None:
    item = world.item(world.make("ec2.stop_instance"))
    executor, _ = run(world, item)
    since = len(world.aws.sessions)
    assert executor.step_back("plan", item, NOW).step == "undone"
    assert allowed(world, since, CREATE_GRANT, OTHER_KEY, **VIA, **FOR_AWS)
    assert not allowed(world, since, CREATE_GRANT, OTHER_KEY, **VIA)
    assert not allowed(world, since, CREATE_GRANT, OTHER_KEY, **FOR_AWS)
    assert not allowed(world, since, CREATE_GRANT, FOREIGN_KEY, **VIA, **FOR_AWS)
    assert not any(allowed(world, since, a, OTHER_KEY, **VIA, **FOR_AWS) for a in KEY_USES)


def test_a_volume_under_another_accounts_key_is_left(world: RemediationWorld) -> None:
    item = world.item(encrypted(world, FOREIGN_KEY))
    since = len(world.aws.calls)
    _, entry = run(world, item)
    assert entry.problem is not None
    assert (entry.step, entry.problem.code) == ("failed", "NOT_APPLICABLE")
    assert "another account's key" in entry.problem.message
    made = {call[1] for call in world.aws.calls[since:]}
    assert not made & {"CreateSnapshot", "DeleteVolume"}


def test_the_template_grants_what_is_needed_under_the_conditions_that_are_declared() -> None:
    granted: dict[str, Any] = {}
    for statement in role_policies("remediate")["tidegate-remediate"]["Statement"]:
        for action in statement["Action"]:
            granted[action] = statement.get("Condition", {})
    conditional = {name: {**one} for name, one in granted.items() if one}
    assert conditional == conditional_needs()
    through = {name for action in ACTIONS.values() for name in action.through}
    assert through == set(conditional)
    assert set(granted) >= through
    assert through <= {name for needs in action_needs().values() for name in needs}
