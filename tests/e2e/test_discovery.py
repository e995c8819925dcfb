"""Discovery on the deployed platform: real machine, real functions, a customer account's role."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from tidegate.discovery.public import declared_actions

from tests.e2e.conftest import Owner, RunningCloud

pytestmark = [pytest.mark.e2e, pytest.mark.enable_socket]
REGIONS = ["us-east-1", "eu-west-1"]


def grant(cloud: RunningCloud, account: str, role: str, actions: Sequence[str]) -> None:
    """Sets what the role in the customer's account may do."""
    statement = {"Effect": "Allow", "Action": ["iam:GetRole", *actions], "Resource": "*"}
    cloud.aws("iam", account).put_role_policy(
        RoleName=role,
        PolicyName="read",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
    )


def connect(
    cloud: RunningCloud, owner: Owner, account: str, actions: Sequence[str]
) -> tuple[str, str]:
    """An onboarding request and its role, verified: the onboarding id and the role's name."""
    created = owner.http.post(
        "/onboarding/create", json={"account_id": account, "regions": REGIONS}
    )
    assert created.status_code == 201, created.text
    asked = created.json()
    trust = {
        "Effect": "Allow",
        "Principal": {"AWS": cloud.outputs["stack_outputs"]["OnboardingRoleArn"]},
        "Action": ["sts:AssumeRole", "sts:TagSession"],
        "Condition": {"StringEquals": {"sts:ExternalId": asked["external_id"]}},
    }
    cloud.aws("iam", account).create_role(
        RoleName=asked["role_name"],
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
    )
    grant(cloud, account, asked["role_name"], actions)
    verified = owner.http.post(f"/onboarding/{asked['id']}/verify")
    assert verified.status_code == 200, verified.text
    return asked["id"], asked["role_name"]


def discovered(owner: Owner, onboarding_id: str, seconds: float = 180) -> dict[str, Any]:
    """The discovery once it is over; its progress never falls on the way."""
    end, seen = time.monotonic() + seconds, [0]
    while time.monotonic() < end:
        answer = owner.http.get(f"/onboarding/{onboarding_id}/discovery")
        assert answer.status_code == 200, answer.text
        view: dict[str, Any] = answer.json()
        assert view["progress"] >= seen[-1], "progress fell"
        seen.append(view["progress"])
        if view["status"] not in ("running", "not_started"):
            assert view["progress"] == 100
            return view
        time.sleep(0.5)
    pytest.fail(f"still {view['status']} at {view['progress']} % after {seconds} s")


def services(view: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (region["region"], one["service"]): one
        for region in view["regions"]
        for one in region["services"]
    }


def seed(cloud: RunningCloud, account: str) -> None:
    for number in range(3):
        cloud.aws("ec2", account).create_volume(
            AvailabilityZone="us-east-1a", Size=10 + number, VolumeType="gp2"
        )
    cloud.aws("logs", account, "eu-west-1").create_log_group(logGroupName="/app/web")
    cloud.aws("s3", account).create_bucket(Bucket=f"estate-{account}")


def test_an_account_is_discovered_and_listed(
    cloud: RunningCloud, new_owner: Callable[[], Owner]
) -> None:
    account, owner = "444400000001", new_owner()
    seed(cloud, account)
    onboarding_id, _ = connect(cloud, owner, account, declared_actions())
    view = discovered(owner, onboarding_id)
    found = services(view)
    assert {one["status"] for one in found.values()} == {"ok"}, found
    assert view["status"] == "completed"
    assert found["us-east-1", "ec2-volumes"]["resource_count"] == 3
    assert found["eu-west-1", "ec2-volumes"]["resource_count"] == 0
    assert found["eu-west-1", "logs"]["resource_count"] == 1
    assert found["global", "s3"]["resource_count"] == 1
    listed = owner.http.get("/client/resources", params={"type": "ec2:volume"}).json()
    assert listed["total"] == 3
    assert {one["account_id"] for one in listed["resources"]} == {account}
    again = owner.http.post(f"/onboarding/{onboarding_id}/rediscover", json={})
    assert again.status_code == 202, again.text
    second = discovered(owner, onboarding_id)
    assert (second["run_id"], second["resources_found"]) == (
        again.json()["run_id"],
        view["resources_found"],
    )


def test_a_dropped_permission_shows_as_denied(
    cloud: RunningCloud, new_owner: Callable[[], Owner]
) -> None:
    account, owner = "444400000002", new_owner()
    seed(cloud, account)
    left = [action for action in declared_actions() if action != "ec2:DescribeVolumes"]
    onboarding_id, role = connect(cloud, owner, account, left)
    view = discovered(owner, onboarding_id)
    assert view["status"] == "completed_with_gaps"
    for region in REGIONS:
        volumes = services(view)[region, "ec2-volumes"]
        assert (volumes["status"], volumes["resource_count"]) == ("denied", None)
        assert volumes["missing_actions"] == ["ec2:DescribeVolumes"]
    grant(cloud, account, role, declared_actions())
    owner.http.post(f"/onboarding/{onboarding_id}/rediscover", json={"services": ["ec2-volumes"]})
    repaired = services(discovered(owner, onboarding_id))
    assert repaired["us-east-1", "ec2-volumes"]["resource_count"] == 3
