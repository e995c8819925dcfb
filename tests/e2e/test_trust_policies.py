"""Every trust policy as a real role in a customer account of the local cloud (ONB-4, ONB-5)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.builders.trust_policies import CASES, TrustCase
from tests.e2e.conftest import Owner, RunningCloud

# AWS refuses to make a role that allows by NotPrincipal; reading alone judges that one.
MAKEABLE = [case for case in CASES if case.name != "not-principal"]
# The emulator gives the session as aws:PrincipalArn, AWS the role; it errs on the safe side.
EMULATOR_SAYS = {"narrowed-further": "ROLE_NOT_ASSUMABLE"}
KNOWN_FIXES = ("ExternalId", "Principal", "iam:GetRole", "role", "trust")


def deploy_role(cloud: RunningCloud, request: dict[str, Any], case: TrustCase) -> None:
    """The role of the request, with the case's trust policy and the right to be read."""
    iam = cloud.aws("iam", request["account_id"])
    platform_role = cloud.outputs["stack_outputs"]["OnboardingRoleArn"]
    iam.create_role(
        RoleName=request["role_name"],
        AssumeRolePolicyDocument=json.dumps(case.make(platform_role, request["external_id"])),
    )
    statement = {"Effect": "Allow", "Action": ["iam:GetRole", "ec2:Describe*"], "Resource": "*"}
    iam.put_role_policy(
        RoleName=request["role_name"],
        PolicyName="read",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
    )


def judged(cloud: RunningCloud, owner: Owner, case: TrustCase, account_id: str) -> Any:
    """What the platform says of the case, in an account of its own."""
    # One region: a connected account is discovered, and the judging should not wait for it.
    created = owner.http.post(
        "/onboarding/create", json={"account_id": account_id, "regions": ["us-east-1"]}
    )
    assert created.status_code == 201, created.text
    deploy_role(cloud, created.json(), case)
    return owner.http.post(f"/onboarding/{created.json()['id']}/verify", json={})


def test_every_trust_policy_is_judged_right(
    cloud: RunningCloud, new_owner: Callable[[], Owner]
) -> None:
    wrong: list[str] = []
    right = 0
    owner = new_owner()
    # The good ones last: each starts a discovery.
    for number, case in enumerate(sorted(MAKEABLE, key=lambda case: case.verified is None)):
        if number % 25 == 24:
            owner = new_owner()  # a caller's own limit is 100 calls a minute
        answer = judged(cloud, owner, case, str(770_000_000_000 + number))
        error = answer.json().get("error", {})
        verdict = error.get("code")
        expected = EMULATOR_SAYS.get(case.name, case.verified)
        if verdict != expected:
            wrong.append(f"{case.name}: {verdict} instead of {expected}")
            continue
        right += 1
        if verdict is not None:
            assert answer.status_code == 422
            (fix,) = error["details"]
            assert fix["field"] == "role_arn"
            assert any(word in fix["message"] for word in KNOWN_FIXES), fix
    print(f"trust policies judged right on real roles: {right}/{len(MAKEABLE)}")
    assert wrong == []
    assert right >= 20
