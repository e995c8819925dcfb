"""A customer's own stack on the local cloud connects its account; its end disconnects it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.conftest import Owner, RunningCloud

pytestmark = [pytest.mark.e2e, pytest.mark.enable_socket]
FINISHED = ("CREATE_COMPLETE", "ROLLBACK_COMPLETE", "DELETE_COMPLETE", "CREATE_FAILED")


def until(read: Callable[[], Any], wanted: Callable[[Any], bool], seconds: float = 120) -> Any:
    """What `read` gives once it is wanted."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = read()
        if wanted(found):
            return found
        time.sleep(0.5)
    pytest.fail(f"still {found!r} after {seconds} s")


def request(owner: Owner, account: str, **body: Any) -> dict[str, Any]:
    created = owner.http.post("/onboarding/create", json={"account_id": account, **body})
    assert created.status_code == 201, created.text
    made: dict[str, Any] = created.json()
    return made


def shown(owner: Owner, asked: dict[str, Any]) -> dict[str, Any]:
    answer = owner.http.get(f"/onboarding/{asked['id']}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def deploy(cloud: RunningCloud, asked: dict[str, Any], template: str, **parameters: str) -> str:
    """Create the customer's stack with the template's own defaults; its final status."""
    cloudformation = cloud.aws("cloudformation", asked["account_id"])
    name = f"tidegate-{asked['id'][:8]}"
    cloudformation.create_stack(
        StackName=name,
        TemplateBody=template,
        Capabilities=["CAPABILITY_NAMED_IAM"],
        Parameters=[
            {"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()
        ],
    )

    def status() -> str:
        return str(cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"])

    return str(until(status, lambda found: found in FINISHED, seconds=300))


def served(cloud: RunningCloud, asked: dict[str, Any]) -> str:
    """The template behind the signed link, read without a token."""
    answer = cloud.http().get(asked["template_url"])
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/yaml")
    return answer.text


def test_a_stack_connects_its_account_and_its_end_disconnects_it(
    cloud: RunningCloud, new_owner: Callable[[], Owner]
) -> None:
    owner, account = new_owner(), "710000000001"
    asked = request(owner, account, tier="remediate", regions=["us-east-1"])
    assert deploy(cloud, asked, served(cloud, asked)) == "CREATE_COMPLETE"
    # Nobody called verify: the stack's call-back did.
    found = until(lambda: shown(owner, asked), lambda row: row["status"] == "connected")
    assert [check["outcome"] for check in found["checks"]] == ["pass"] * 5
    discovery = owner.http.get(f"/onboarding/{asked['id']}/discovery").json()
    assert discovery["run_id"] is not None
    iam = cloud.aws("iam", account)
    policies = iam.list_role_policies(RoleName=asked["role_name"])["PolicyNames"]
    assert sorted(policies) == ["tidegate-read", "tidegate-remediate"]
    again = owner.http.post("/onboarding/create", json={"account_id": account})
    assert again.status_code == 409

    cloud.aws("cloudformation", account).delete_stack(StackName=f"tidegate-{asked['id'][:8]}")
    until(lambda: shown(owner, asked)["status"], lambda status: status == "disconnected")
    assert owner.http.get(f"/client/accounts/{asked['id']}").status_code == 404
    assert request(owner, account)["id"] != asked["id"]


def test_a_stack_with_a_foreign_external_id_rolls_back_and_connects_nothing(
    cloud: RunningCloud, new_owner: Callable[[], Owner]
) -> None:
    owner, account = new_owner(), "710000000002"
    asked = request(owner, account)
    other = request(new_owner(), account)
    status = deploy(cloud, asked, served(cloud, asked), ExternalId=other["external_id"])
    assert status != "CREATE_COMPLETE"
    assert shown(owner, asked)["status"] == "pending"


def test_a_role_made_by_hand_is_verified_and_a_spoiled_one_is_lost(
    cloud: RunningCloud, new_owner: Callable[[], Owner]
) -> None:
    owner, account = new_owner(), "710000000003"
    asked = request(owner, account, regions=["us-east-1"])
    refused = owner.http.post(f"/onboarding/{asked['id']}/verify", json={})
    assert refused.status_code == 422
    assert refused.json()["error"]["code"] == "ROLE_NOT_ASSUMABLE"
    iam = cloud.aws("iam", account)
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": cloud.outputs["stack_outputs"]["OnboardingRoleArn"]},
        "Action": ["sts:AssumeRole", "sts:TagSession"],
        "Condition": {"StringEquals": {"sts:ExternalId": asked["external_id"]}},
    }
    trust = {"Version": "2012-10-17", "Statement": [statement]}
    iam.create_role(RoleName=asked["role_name"], AssumeRolePolicyDocument=json.dumps(trust))
    read = {"Effect": "Allow", "Action": "iam:GetRole", "Resource": "*"}
    iam.put_role_policy(
        RoleName=asked["role_name"],
        PolicyName="read",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [read]}),
    )
    verified = owner.http.post(f"/onboarding/{asked['id']}/verify", json={})
    assert verified.status_code == 200, verified.text
    del statement["Condition"]
    iam.update_assume_role_policy(RoleName=asked["role_name"], PolicyDocument=json.dumps(trust))
    spoiled = owner.http.post(f"/onboarding/{asked['id']}/verify", json={})
    assert spoiled.status_code == 422
    assert spoiled.json()["error"]["code"] == "EXTERNAL_ID_NOT_ENFORCED"
    assert shown(owner, asked)["status"] == "access_lost"


def test_access_keys_connect_an_account(
    cloud: RunningCloud, new_owner: Callable[[], Owner]
) -> None:
    owner, account = new_owner(), "710000000004"
    iam = cloud.aws("iam", account)
    iam.create_user(UserName="reader")
    key = iam.create_access_key(UserName="reader")["AccessKey"]
    body = {"access_key_id": key["AccessKeyId"], "secret_access_key": key["SecretAccessKey"]}
    connected = owner.http.post("/onboarding/connect/credentials", json=body)
    assert connected.status_code == 201, connected.text
    assert connected.json()["account_id"] == account
    assert key["SecretAccessKey"] not in connected.text
    wrong = owner.http.post(
        "/onboarding/connect/credentials", json={**body, "secret_access_key": "x" * 40}
    )
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (422, "INVALID_AWS_CREDENTIALS")
