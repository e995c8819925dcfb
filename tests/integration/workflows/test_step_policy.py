"""Policies decide about an effect on an account when it runs (WF-16, GOV-2)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tidegate.governance.routes import router as governance
from tidegate.workflows import wiring
from tidegate.workflows.domain import Execution, RunSettings
from tidegate.workflows.nodes import StepError
from tidegate.workflows.nodes.ports import AwsCall
from tidegate.workflows.ports.policy import StepPolicy
from tidegate.workflows.service.executions import Start
from tidegate.workflows.service.workflows import Draft
from tidegate_kit.clock import system_clock
from tidegate_kit.ids import new_id
from tidegate_kit.settings import Settings
from tidegate_kit.tenancy import TenantScope

from tests.builders.accounts import Seen, add_account, add_inventory
from tests.builders.api import ApiClient
from tests.builders.members import SignedIn, sign_in
from tests.builders.workflows import ENVIRONMENT, edge, graph, install_engine, make_bucket, node
from tests.fakes.workflows import EngineMachines

ACCOUNT = "222222222222"
NAME = "i-0123456789abcdef0"
ARN = f"arn:aws:ec2:eu-west-1:{ACCOUNT}:instance/{NAME}"
CALL = AwsCall(
    account_id=ACCOUNT, region="eu-west-1", action="ec2.stop_instance", resource_arn=ARN,
    parameters={}, iam_actions=frozenset(),
)  # fmt: skip


@pytest.fixture
def engine(platform: Settings, monkeypatch: pytest.MonkeyPatch) -> EngineMachines:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    make_bucket()
    return install_engine(monkeypatch)


@pytest.fixture
def api(engine: EngineMachines, platform: Settings) -> ApiClient:
    return ApiClient([governance], platform)


@pytest.fixture
def owner(engine: EngineMachines) -> SignedIn:
    member = sign_in(roles=("client",), is_owner=True)
    registration = add_account(member.tenant_id, ACCOUNT, tier="remediate")
    add_inventory(registration, Seen([NAME], tags={"environment": "production"}))
    return member


def running(member: SignedIn, engine: EngineMachines, quorum: int = 1) -> tuple[Execution, Any]:
    """An execution that waits for its approval, and what decides about its next step."""
    definition = graph(
        node("s", "start"),
        node("ask", "approval", title="?", quorum=quorum),
        node("stop", "aws_action", account_id=ACCOUNT, region="eu-west-1",
             action="ec2.stop_instance", resource_arn=ARN),
        edge("s", "ask"), edge("ask", "stop", "true"),
    )  # fmt: skip
    services = wiring.services_of(TenantScope(member.tenant_id), member.user_id)
    draft = Draft("W", "", definition, True, RunSettings())
    made = services.workflows.create(draft).workflow
    begun = services.executions.begin(Start(new_id(), made.id, {}, member.user_id))
    stored = services.repositories
    return stored.executions.get(begun.id), StepPolicy(
        TenantScope(member.tenant_id), services.definitions, stored.ledger, system_clock
    )


def approve(member: SignedIn, execution: Execution) -> None:
    """As if a colleague had approved."""
    ledger = wiring.services_of(TenantScope(member.tenant_id), "system").repositories.ledger
    (step,) = (one for one in ledger.steps(execution.id) if one.step_id == "ask")
    ledger.record(execution, replace(step, status="completed", route="true"))


def refusal(policy: Any, execution: Execution, call: AwsCall = CALL) -> str:
    with pytest.raises(StepError, match="POLICY_DENIED") as refused:
        policy.decide(execution, "stop", call)
    return str(refused.value)


def add_policy(api: ApiClient, owner: SignedIn, text: str) -> None:
    answer = api.post(
        "/governance/policies", json={"name": new_id(), "text": text}, headers=owner.headers
    )
    assert answer.status_code == 201, answer.text


@pytest.mark.hazard("B23")
@pytest.mark.bite("tidegate.workflows.ports.policy.must_be_approved", returns=None)
def test_the_default_asks_for_an_approval(owner: SignedIn, engine: EngineMachines) -> None:
    """B23: an action waits for an approval that was given, by as many as the policy wants."""
    execution, policy = running(owner, engine)
    assert "needs an approval" in refusal(policy, execution)
    approve(owner, execution)
    policy.decide(execution, "stop", CALL)


def test_a_forbid_over_tags_binds_workflows(
    api: ApiClient, owner: SignedIn, engine: EngineMachines
) -> None:
    execution, policy = running(owner, engine)
    approve(owner, execution)
    add_policy(
        api, owner,
        'forbid(principal, action, resource) when { resource.hasTag("environment") && '
        'resource.getTag("environment") == "production" };',
    )  # fmt: skip
    assert "do not allow" in refusal(policy, execution)


def test_what_no_inventory_knows_is_not_touched(owner: SignedIn, engine: EngineMachines) -> None:
    execution, policy = running(owner, engine)
    approve(owner, execution)
    fields = {name: getattr(CALL, name) for name in CALL.__slots__}
    stranger = AwsCall(**{**fields, "resource_arn": ARN.replace("0123", "3210")})
    assert "not in the inventory" in refusal(policy, execution, stranger)


def test_a_starter_who_left_answers_for_nothing(owner: SignedIn, engine: EngineMachines) -> None:
    execution, policy = running(owner, engine)
    approve(owner, execution)
    gone = replace(execution, principal=new_id())
    assert "answer for" in refusal(policy, gone)
