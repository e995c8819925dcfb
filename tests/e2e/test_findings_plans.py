"""From waste to ledger on the local cloud: found, planned, approved, done, undone, over HTTP."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from tidegate.discovery.public import declared_actions
from tidegate_kit.ids import new_id

from tests.builders.remediation import role_policies
from tests.e2e.conftest import Owner, RunningCloud

pytestmark = [pytest.mark.e2e, pytest.mark.enable_socket]
ACCOUNT = "444400000021"
REGION = "us-east-1"
_PATIENCE = 120.0


def until(http: httpx.Client, path: str, wanted: Callable[[dict[str, Any]], bool]) -> Any:
    """Ask until the answer is as wanted: the cloud works at its own pace."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        answer = http.get(path)
        assert answer.status_code == 200, answer.text
        if wanted(answer.json()):
            return answer.json()
        assert time.monotonic() < deadline, f"{path} never came to be: {answer.text[:2000]}"
        time.sleep(0.3)


def connect(cloud: RunningCloud, owner: Owner) -> str:
    """The account connected for remediation, with the policies of the template."""
    created = owner.http.post(
        "/onboarding/create",
        json={"account_id": ACCOUNT, "regions": [REGION], "tier": "remediate"},
    )
    assert created.status_code == 201, created.text
    asked = created.json()
    trust = {
        "Effect": "Allow",
        "Principal": {"AWS": cloud.outputs["stack_outputs"]["OnboardingRoleArn"]},
        "Action": ["sts:AssumeRole", "sts:TagSession"],
        "Condition": {"StringEquals": {"sts:ExternalId": asked["external_id"]}},
    }
    iam = cloud.aws("iam", ACCOUNT)
    iam.create_role(
        RoleName=asked["role_name"],
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
    )
    own = {"Effect": "Allow", "Action": ["iam:GetRole", *declared_actions()], "Resource": "*"}
    policies = {
        "tidegate-read": {"Version": "2012-10-17", "Statement": [own]},
        "tidegate-remediate": role_policies("remediate")["tidegate-remediate"],
    }
    for name, document in policies.items():
        iam.put_role_policy(
            RoleName=asked["role_name"], PolicyName=name, PolicyDocument=json.dumps(document)
        )
    verified = owner.http.post(f"/onboarding/{asked['id']}/verify")
    assert verified.status_code == 200, verified.text
    return str(asked["id"])


def colleague(cloud: RunningCloud, owner: Owner) -> httpx.Client:
    """Another member who may approve."""
    email, password = f"{new_id()}@example.com", f"pw-{new_id()}"
    invited = owner.http.post(
        "/api/members/invitations", json={"email": email, "roles": ["client"]}
    )
    assert invited.status_code == 201, invited.text
    http = cloud.http()
    registered = http.post(
        "/api/auth/register",
        json={
            "email": email, "password": password, "first_name": "Bob", "last_name": "Example",
            "company": "Example", "invitation_token": invited.json()["invitation_token"],
        },
    )  # fmt: skip
    assert registered.status_code == 201, registered.text
    login = http.post("/api/auth/login", json={"email": email, "password": password})
    http.headers["Authorization"] = f"Bearer {login.json()['access_token']}"
    return http


def test_waste_is_found_planned_approved_done_and_undone(
    cloud: RunningCloud, new_owner: Callable[[], Owner]
) -> None:
    owner = new_owner()
    ec2 = cloud.aws("ec2", ACCOUNT)
    volume = ec2.create_volume(AvailabilityZone="us-east-1a", Size=200, VolumeType="gp2")
    other = ec2.create_volume(AvailabilityZone="us-east-1a", Size=200, VolumeType="gp2")
    connect(cloud, owner)
    query = "/storage/findings?check_id=ebs-gp2-to-gp3"
    listed = until(owner.http, query, lambda seen: seen["total"] == 2)
    finding = next(
        one for one in listed["findings"] if volume["VolumeId"] in one["resource"]["arn"]
    )

    planned = owner.http.post("/api/waste/plans", json={"finding_ids": [finding["id"]]})
    assert planned.status_code == 201, planned.text
    plan = planned.json()
    path = f"/api/waste/plans/{plan['id']}"
    assert plan["status"] == "pending_approval"
    vote = {"subject_hash": plan["plan_hash"]}
    approval = f"/api/approvals/{plan['approval_id']}/approve"
    assert owner.http.post(approval, json=vote).json()["error"]["code"] == "SELF_APPROVAL"
    decided = colleague(cloud, owner).post(approval, json=vote)
    assert decided.json()["status"] == "approved", decided.text

    started = owner.http.post(f"{path}/execute")
    assert started.status_code == 202, started.text
    done = until(owner.http, path, lambda seen: seen["status"] != "executing")
    assert (done["status"], done["items"][0]["error"]) == ("executed", None), done
    assert _type(ec2, volume) == "gp3"
    assert _type(ec2, other) == "gp2", "a neighbour was touched"

    back = owner.http.post(f"{path}/undo", json={})
    assert back.status_code == 202, back.text
    undone = until(owner.http, path, lambda seen: seen["status"] != "undoing")
    assert (undone["status"], undone["items"][0]["error"]) == ("undone", None), undone
    assert _type(ec2, volume) == "gp2"

    ledger = owner.http.get("/api/waste/savings").json()
    (entry,) = ledger["entries"]
    assert (entry["plan_id"], entry["check_id"]) == (plan["id"], "ebs-gp2-to-gp3")
    assert entry["undone_at"] is not None
    assert (entry["measured"], entry["realised_to_date"]) == ([], None)
    assert owner.http.get(f"/storage/findings/{finding['id']}").json()["status"] == "open"


def _type(ec2: Any, volume: dict[str, Any]) -> str:
    found = ec2.describe_volumes(VolumeIds=[volume["VolumeId"]])["Volumes"][0]
    return str(found["VolumeType"])
