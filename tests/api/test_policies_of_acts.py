"""Policies are asked before a workflow, a message or a pipeline begins (GOV-1, ADR 0029)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from tidegate.governance.routes import router as governance
from tidegate.integrations.routes import router as integrations
from tidegate.pipelines.routes import router as pipelines
from tidegate.workflows import wiring
from tidegate.workflows.routes import router as workflows
from tidegate_kit.clock import system_clock
from tidegate_kit.settings import Settings, settings_of
from tidegate_kit.tenancy import TenantScope, UserScope

from tests.builders.api import ApiClient
from tests.builders.communications import MAIL, add_targets, connect
from tests.builders.members import SignedIn, sign_in
from tests.builders.settings import PLATFORM_ACCOUNT, REGION
from tests.builders.workflows import ENVIRONMENT, chain, install_engine, make_bucket, node

MACHINE = f"arn:aws:states:{REGION}:{PLATFORM_ACCOUNT}:stateMachine:tidegate-test-pipeline"


@dataclass
class Team:
    """An owner and what the platform answers him."""

    client: ApiClient
    owner: SignedIn
    workflow_id: str = ""

    def post(self, path: str, body: dict[str, Any]) -> Any:
        return self.client.post(path, json=body, headers=self.owner.headers)

    def get(self, path: str) -> Any:
        answer = self.client.get(path, headers=self.owner.headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def rule(self, effect: str, action: str) -> None:
        """One more policy; what a permit asks for, it asks beside the default permit."""
        text = f'{effect} (principal, action == Action::"{action}", resource);'
        made = self.post("/governance/policies", {"name": "Rule", "text": text})
        assert made.status_code == 201, made.text

    def decisions(self, action: str) -> list[tuple[str, str]]:
        """(effect, resource) of what was decided about an action."""
        found = self.get("/governance/decisions")["decisions"]
        return [(one["effect"], one["resource"]["arn"]) for one in found if one["action"] == action]


@pytest.fixture
def team(platform: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Team]:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PIPELINE_MACHINE_ARN", MACHINE)
    monkeypatch.setenv("DISCOVERY_MACHINE_ARN", MACHINE)
    settings_of.cache_clear()
    make_bucket()
    install_engine(monkeypatch).paused = True
    states = {"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 60, "End": True}}}
    boto3.client("stepfunctions", region_name=REGION).create_state_machine(
        name="tidegate-test-pipeline",
        definition=json.dumps(states),
        roleArn=f"arn:aws:iam::{PLATFORM_ACCOUNT}:role/machine",
    )
    client = ApiClient([workflows, integrations, pipelines, governance], platform)
    team = Team(client, sign_in(is_owner=True))
    scope = UserScope(team.owner.tenant_id, team.owner.user_id)
    connect(scope, MAIL)
    add_targets(scope, 1, system_clock())
    made = team.post("/workflows", {"name": "W", "definition": chain(node("a"))})
    team.workflow_id = made.json()["id"]
    yield team
    settings_of.cache_clear()


def execute(team: Team) -> Any:
    return team.post(f"/workflows/{team.workflow_id}/execute", {})


def write(team: Team) -> Any:
    return team.post("/user/orchestrator/initiate-communications", {"message": "Hello"})


def run(team: Team) -> Any:
    return team.post("/pipelines/savings-ledger/run", {})


def executions(team: Team) -> int:
    total: int = team.get("/workflows/executions")["total"]
    return total + int(team.get("/pipelines/savings-ledger/executions")["total"])


ACTS: dict[str, Callable[[Team], Any]] = {
    "workflow.execute": execute,
    "communication.send": write,
    "pipeline.run": run,
}


@pytest.mark.parametrize("action", ACTS)
def test_the_first_policies_let_an_act_begin_and_record_it(team: Team, action: str) -> None:
    answer = ACTS[action](team)
    assert answer.status_code == 202, answer.text
    assert [effect for effect, _ in team.decisions(action)] == ["allow"]
    assert executions(team) == 1


@pytest.mark.parametrize("action", ACTS)
@pytest.mark.parametrize(
    ("effect", "recorded"),
    [("forbid", "deny"), ('@require_approval("true") permit', "require_approval")],
)
def test_a_denied_act_does_not_begin(team: Team, action: str, effect: str, recorded: str) -> None:
    """GOV-1, GOV-2: a forbid, and an approval that nothing waits for, refuse; the rest goes on."""
    team.rule(effect, action)
    answer = ACTS[action](team)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "POLICY_DENIED")
    assert [found for found, _ in team.decisions(action)] == [recorded]
    assert executions(team) == 0
    for other in ACTS.keys() - {action}:
        assert ACTS[other](team).status_code == 202


@pytest.mark.hazard("B21")
@pytest.mark.bite("tidegate.governance.public.permit", returns=None)
def test_a_clock_starts_nothing_that_policies_forbid(team: Team) -> None:
    """B21: a schedule made before the policy starts nothing: each run is decided (GOV-1)."""
    scope = TenantScope(team.owner.tenant_id)
    answer = team.client.put(
        f"/workflows/{team.workflow_id}/schedule",
        json={"expression": "rate(1 hour)"},
        headers=team.owner.headers,
    )
    assert answer.status_code == 200, answer.text
    team.rule("forbid", "workflow.execute")
    schedules, _ = wiring.schedules_of(scope)
    at = "2026-03-01T12:00:00Z"
    assert schedules.tick(team.workflow_id, at, lambda owner: True) is None
    assert team.decisions("workflow.execute") == [("deny", team.workflow_id)]
    assert executions(team) == 0


def test_a_repeated_start_is_decided_once(team: Team) -> None:
    """The same call again is the same execution, also when the policies changed meanwhile."""
    headers = {**team.owner.headers, "Idempotency-Key": "k"}
    path = f"/workflows/{team.workflow_id}/execute"
    first = team.client.post(path, json={}, headers=headers)
    assert first.status_code == 202, first.text
    team.rule("forbid", "workflow.execute")
    again = team.client.post(path, json={}, headers=headers)
    assert again.json() == first.json()
    assert [effect for effect, _ in team.decisions("workflow.execute")] == ["allow"]
