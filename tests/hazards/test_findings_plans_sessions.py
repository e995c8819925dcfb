"""The reach of the sessions of plans (G28)."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError
from tidegate.findings.actions import ACTIONS, declared_actions
from tidegate_kit import session_policy
from tidegate_kit.session_policy import Grant, policy_of
from tidegate_kit.settings import Settings

from tests.builders.plan_runs import LATER, READS, forward, store_plan
from tests.builders.plans import make_machine
from tests.builders.remediation import SUBJECTS, RemediationWorld, remediation_world
from tests.builders.settings import CUSTOMER_ACCOUNT, REGION
from tests.fakes.strict_aws import StrictAws
from tests.fakes.strict_aws.policy_eval import Decision, Request, evaluate

ALL = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
)


@pytest.fixture
def world(
    platform: Settings, strict_aws: StrictAws, monkeypatch: pytest.MonkeyPatch
) -> RemediationWorld:
    # Half a thousand images of moto's own, and their snapshots, would be searched at every read.
    monkeypatch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
    make_machine(monkeypatch)
    return remediation_world(platform, strict_aws)


def neighbours(arn: str) -> list[str]:
    """Other resources of the same service, account and region, and of other ones."""
    head, _, name = arn.rpartition("/" if "/" in arn else ":")
    cut = "/" if "/" in arn else ":"
    changed = f"{name[:-1]}{'0' if name[-1] != '0' else '1'}"
    return [
        f"{head}{cut}{changed}",
        f"{arn}x",
        arn.replace(CUSTOMER_ACCOUNT, "333333333333") if CUSTOMER_ACCOUNT in arn else f"{arn}2",
        arn.replace(REGION, "eu-west-1") if REGION in arn else f"{arn}3",
        f"{head}{cut}*",
        "*",
    ]


@pytest.mark.hazard("G28")
@pytest.mark.bite("tidegate.findings.plans.account.policy_of", returns=ALL)
@pytest.mark.parametrize("name", SUBJECTS)
def test_a_plans_session_reaches_nothing_else(world: RemediationWorld, name: str) -> None:
    """G28: every other action and every neighbour's ARN is denied to each session of a plan."""
    subject = world.make(name)
    plan, item = store_plan(world, name=name, subject=subject)
    since = len(world.aws.sessions)
    forward(world, plan, LATER)
    action = ACTIONS[item.action]
    sessions = [one for one in world.aws.sessions[since:] if one.session_policies]
    assert sessions, "no session was cut down"
    own = {item.arn, item.arn.replace(f":{CUSTOMER_ACCOUNT}:", "::"), f"{item.arn}:*"}
    for session in sessions:
        assert all(len(json.dumps(one)) <= 2600 for one in session.session_policies)
        for tried in sorted(declared_actions() | {"ec2:TerminateInstances", "iam:CreateUser"}):
            targets = neighbours(item.arn)
            if tried not in action.iam_actions:
                targets = [*targets, *own]
            for arn in targets:
                request = Request(tried, arn, {})
                decision = evaluate(session.session_policies, request)
                if tried in READS:
                    continue
                assert decision is not Decision.ALLOW, f"{tried} on {arn}"


@pytest.mark.hazard("G28")
@pytest.mark.bite("tidegate.findings.plans.account.policy_of", returns=ALL)
def test_a_neighbour_called_with_the_plans_own_session_is_denied(world: RemediationWorld) -> None:
    """G28: calls really made with the session of a plan: neighbour and other action denied."""
    subject, neighbour = world.make("ec2.stop_instance"), world.make("ec2.stop_instance")
    item = world.item(subject)
    workshop = world.accounts(item)
    client = workshop.client("ec2", [Grant(("ec2:StopInstances",), (item.arn,))])
    id_, other = (one.arn.rpartition("/")[2] for one in (subject, neighbour))
    for call in (
        lambda: client.stop_instances(InstanceIds=[other]),
        lambda: client.stop_instances(InstanceIds=[id_, other]),
        lambda: client.start_instances(InstanceIds=[id_]),
        lambda: client.create_tags(Resources=[id_], Tags=[{"Key": "a", "Value": "b"}]),
        lambda: client.describe_instances(),
    ):
        with pytest.raises(ClientError) as denied:
            call()
        assert denied.value.response["Error"]["Code"] == "UnauthorizedOperation"
    client.stop_instances(InstanceIds=[id_])


@pytest.mark.hazard("G28")
@pytest.mark.bite("tidegate_kit.session_policy.literal", replacement=lambda text: text)
@pytest.mark.parametrize("name", ["*", "a?", "${aws:username}", "b*c", "$"])
def test_patterns_in_names_are_refused(name: str) -> None:
    """G28: a resource name that IAM would read as a pattern or variable never gets in a policy."""
    with pytest.raises(ValueError, match="refused"):
        Grant(("s3:AbortMultipartUpload",), (f"arn:aws:s3:::bucket/{name}",))


@pytest.mark.hazard("G28")
@pytest.mark.bite("tidegate_kit.session_policy.split", replacement=lambda grants: [ALL])
def test_what_is_too_long_is_split_and_never_widened() -> None:
    """G28: 300 resources: several policies of 2,048 characters that together allow just them."""
    arns = [f"arn:aws:s3:::bucket/{'k' * 60}-{number}" for number in range(300)]
    policies = session_policy.split([Grant(("s3:AbortMultipartUpload",), tuple(arns))])
    assert all(len(one) <= 2048 for one in policies)
    documents = [json.loads(one) for one in policies]
    named = [arn for one in documents for part in one["Statement"] for arn in part["Resource"]]
    assert sorted(named) == sorted(arns)
    assert {tuple(p["Action"]) for one in documents for p in one["Statement"]} == {
        ("s3:AbortMultipartUpload",)
    }
    with pytest.raises(ValueError, match="characters"):
        policy_of([Grant(("s3:AbortMultipartUpload",), tuple(arns))])
