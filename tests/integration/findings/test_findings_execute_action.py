"""The workflow node and the executor of plans: once, with its journal, refused in words."""

from __future__ import annotations

from typing import Any

import pytest
from tidegate.findings import public
from tidegate.findings.actions import ACTIONS
from tidegate.findings.public import ActionRequest, InvalidAction
from tidegate.workflows.nodes import StepError
from tidegate.workflows.nodes.aws_action import ACTIONS as NODE_ACTIONS
from tidegate.workflows.nodes.ports import AwsCall, AwsResult
from tidegate.workflows.ports.remediation import OWN, ExecutedActions
from tidegate_kit.clock import system_clock
from tidegate_kit.errors import NotFound
from tidegate_kit.ids import new_id
from tidegate_kit.settings import Settings
from tidegate_kit.tenancy import TenantScope

from tests.builders.remediation import RemediationWorld, Subject, remediation_world
from tests.builders.settings import CUSTOMER_ACCOUNT, REGION
from tests.fakes.strict_aws.layer import StrictAws


@pytest.fixture
def world(platform: Settings, strict_aws: StrictAws) -> RemediationWorld:
    return remediation_world(platform, strict_aws)


def request_of(subject: Subject, **changes: Any) -> ActionRequest:
    values: dict[str, Any] = {
        "account_id": CUSTOMER_ACCOUNT, "region": REGION, "action": subject.action,
        "resource_arn": subject.arn, "parameters": subject.parameters, **changes,
    }  # fmt: skip
    return ActionRequest(**values)


class NoOwn:
    """Nothing here is the workflows' own."""

    def act(self, call: AwsCall, *, effect_key: str) -> AwsResult:
        raise AssertionError("an action of plans went another way")


def test_the_same_key_acts_once(world: RemediationWorld) -> None:
    subject = world.make("ec2.stop_instance")
    done = [
        public.execute_action(world.settings, world.scope, request_of(subject), effect_key="e/s")
        for _ in range(2)
    ]
    assert done[0] == done[1]
    assert (done[0].settled, done[0].code) == (True, None)
    assert done[0].undo_until is not None
    assert sum("StopInstances" in call for call in world.aws.calls) == 1


def test_bad_requests_call_nothing(world: RemediationWorld) -> None:
    subject = world.make("ec2.stop_instance")
    since = len(world.aws.sessions)
    for changes, expected in (
        ({"account_id": "333333333333"}, InvalidAction),
        ({"region": "eu-west-1"}, InvalidAction),
        ({"resource_arn": subject.arn.replace("instance/", "volume/")}, InvalidAction),
        ({"resource_arn": subject.arn[:-1] + "*"}, InvalidAction),
        ({"action": "ec2.terminate_instance"}, InvalidAction),
        ({"parameters": {"force": True}}, InvalidAction),
    ):
        with pytest.raises(expected):
            asked = request_of(subject, **changes)
            public.execute_action(world.settings, world.scope, asked, effect_key=new_id())
    with pytest.raises(NotFound):
        other = TenantScope(new_id())
        public.execute_action(world.settings, other, request_of(subject), effect_key=new_id())
    assert len(world.aws.sessions) == since


def test_a_step_is_decided_first_and_tells_until_when_it_can_be_undone(
    world: RemediationWorld,
) -> None:
    subject = world.make("ec2.create_tags")
    call = AwsCall(
        CUSTOMER_ACCOUNT, REGION, subject.action, subject.arn, subject.parameters, frozenset()
    )

    def denied(call: AwsCall) -> None:
        raise StepError("POLICY_DENIED", "no")

    def port(decide: Any) -> ExecutedActions:
        return ExecutedActions(world.settings, world.scope, decide, NoOwn(), system_clock)

    since = len(world.aws.sessions)
    with pytest.raises(StepError, match="POLICY_DENIED"):
        port(denied).act(call, effect_key="k")
    assert len(world.aws.sessions) == since
    done = port(lambda call: None).act(call, effect_key="k")
    assert done.undo_until is not None
    assert done.result["tags"] == subject.parameters["tags"]
    assert done.result["resource"] == subject.arn.rpartition("/")[2]


def test_the_node_offers_the_reversible_actions_of_plans() -> None:
    reversible = {name for name, action in ACTIONS.items() if action.reversible}
    assert set(NODE_ACTIONS) - OWN == reversible
    for name in reversible:
        assert ACTIONS[name].iam_actions <= NODE_ACTIONS[name].iam_actions, name
        required = {
            field for field, info in ACTIONS[name].parameters.model_fields.items()
            if info.is_required()
        }  # fmt: skip
        assert NODE_ACTIONS[name].parameters == required, name
