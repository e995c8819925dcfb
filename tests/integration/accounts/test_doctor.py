"""The permission doctor on real roles of the strict double."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from tidegate.accounts import answers, wiring
from tidegate.accounts.service import Checkup
from tidegate_kit.clock import system_clock
from tidegate_kit.settings import Settings
from tidegate_kit.tenancy import TenantScope

from tests.builders.members import SignedIn, sign_in
from tests.builders.onboarding import World, make_world
from tests.fakes.strict_aws import StrictAws
from tests.fakes.strict_aws.customer import allow

LACKS = ("ec2:DescribeVolumes", "cloudwatch:GetMetricData")


@pytest.fixture
def world(platform: Settings, strict_aws: StrictAws, monkeypatch: pytest.MonkeyPatch) -> World:
    return make_world(platform, strict_aws, monkeypatch)


def checkup(world: World, member: SignedIn, request: dict[str, Any]) -> Checkup:
    tenant = wiring.accounts(world.settings, TenantScope(member.tenant_id), system_clock())
    return tenant.permissions(request["id"])


def deployed(world: World, tier: str) -> tuple[SignedIn, dict[str, Any]]:
    """An account connected with the role exactly as its template makes it."""
    member = sign_in(roles=("client",))
    request = world.create(member, tier=tier)
    world.deploy_template(member, request)
    assert world.verify(member, request).status_code == 200
    return member, request


@pytest.mark.parametrize("tier", ["read", "remediate"])
def test_the_template_grants_every_feature_of_its_tier(world: World, tier: str) -> None:
    done = checkup(world, *deployed(world, tier))
    assert [one.feature for one in done.features if not one.granted] == []
    kinds = {one.feature.partition(":")[0] for one in done.features}
    actions = {"action"} if tier == "remediate" else set()
    assert kinds == {"discovery", "check", "recommendations", "costs", "metrics"} | actions
    shown = answers.permissions(done, system_clock())
    assert shown.delta_template is None


def test_a_role_that_lacks_actions_gets_them_by_the_delta(world: World) -> None:
    member, request = deployed(world, "read")
    role, iam = request["role_name"], world.customer().client("iam")
    document = iam.get_role_policy(RoleName=role, PolicyName="tidegate-read")["PolicyDocument"]
    for statement in document["Statement"]:
        if isinstance(statement["Action"], list):
            statement["Action"] = [a for a in statement["Action"] if a not in LACKS]
    world.customer().put_role_policy(role, "tidegate-read", document)

    done = checkup(world, member, request)
    lacking = {one.feature: one for one in done.features if not one.granted}
    assert {"discovery:ec2-volumes", "metrics"} <= set(lacking)
    assert {a for one in lacking.values() for a in one.missing_actions} == set(LACKS)
    assert {one.denied_by for one in lacking.values()} == {"policy"}
    shown = answers.permissions(done, system_clock())
    added = yaml.safe_load(shown.delta_template or "")["Resources"]["TidegateMissingActions"]
    properties = added["Properties"]
    assert properties["Roles"] == [role]
    assert properties["PolicyDocument"]["Statement"][0]["Action"] == sorted(LACKS)

    world.customer().put_role_policy(role, properties["PolicyName"], properties["PolicyDocument"])
    assert all(one.granted for one in checkup(world, member, request).features)


def test_a_deny_is_told_and_no_delta_is_offered(world: World) -> None:
    member, request = deployed(world, "read")
    deny = allow("ec2:DescribeVolumes")
    deny["Statement"][0]["Effect"] = "Deny"
    world.customer().put_role_policy(request["role_name"], "guard", deny)
    done = checkup(world, member, request)
    (volumes,) = [one for one in done.features if one.feature == "discovery:ec2-volumes"]
    assert (volumes.missing_actions, volumes.denied_by) == (("ec2:DescribeVolumes",), "policy")
    assert answers.permissions(done, system_clock()).delta_template is None


def test_a_role_that_may_not_read_itself_is_judged_by_the_discovery(world: World) -> None:
    member, request = world.connected()
    done = checkup(world, member, request)
    assert {one.denied_by for one in done.features} == {"unknown"}
    assert {one.feature.partition(":")[0] for one in done.features} == {"discovery"}
