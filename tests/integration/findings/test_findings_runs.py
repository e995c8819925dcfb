"""What nobody started or ended: the sweep, decided approvals, machines that died."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import boto3
import pytest
from tidegate.findings.plans import tasks
from tidegate.findings.plans.domain import Plan
from tidegate.findings.plans.repository import DynamoPlans
from tidegate.findings.plans.service import START_AGAIN
from tidegate.findings.plans.wiring import plan_service, runs_of
from tidegate.findings.routes import router as findings
from tidegate.governance.routes import router as governance
from tidegate_kit.clock import FixedClock, system_clock
from tidegate_kit.settings import Settings

from tests.builders.api import ApiClient
from tests.builders.members import sign_in
from tests.builders.plans import MACHINE, Team, add_finding, make_machine
from tests.builders.remediation import remediation_world
from tests.builders.settings import REGION
from tests.builders.workflows import ENVIRONMENT
from tests.fakes.strict_aws.layer import StrictAws


@pytest.fixture
def team(platform: Settings, strict_aws: StrictAws, monkeypatch: pytest.MonkeyPatch) -> Team:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    make_machine(monkeypatch)
    owner = sign_in(roles=("client",), is_owner=True)
    world = remediation_world(platform, strict_aws, tenant_id=owner.tenant_id)
    return Team(ApiClient([findings, governance], platform), owner, world)


def stored(team: Team, plan_id: str) -> Plan:
    return DynamoPlans(team.world.scope).get(plan_id)


def started() -> list[str]:
    sfn = boto3.client("stepfunctions", region_name=REGION)
    return [one["name"] for one in sfn.list_executions(stateMachineArn=MACHINE)["executions"]]


def test_a_decided_approval_settles_the_plan(team: Team) -> None:
    plan = team.planned("ec2.stop_instance")
    team.approve(plan)
    assert stored(team, plan["id"]).status == "pending_approval", "nobody has written it down"
    event = {
        "detail": {
            "tenant_id": team.owner.tenant_id,
            "data": {"subject_type": "plan", "subject_id": plan["id"]},
        }
    }
    for _ in range(2):
        assert tasks.approval_closed(event, None) == {"settled": "approved"}
    assert stored(team, plan["id"]).status == "approved"
    other = sign_in(roles=("client",))
    event["detail"]["tenant_id"] = other.tenant_id
    assert tasks.approval_closed(event, None) == {"settled": None}


def test_the_sweep_expires_plans_and_frees_their_findings(team: Team) -> None:
    finding = add_finding(team.world, team.world.make("ec2.stop_instance"))
    plan = team.plan(finding, expires_in_hours=1)
    late = FixedClock(system_clock() + timedelta(hours=1, minutes=1))
    scope = team.world.scope
    assert runs_of(scope, late).sweep(plan_service(scope, late)) == 1
    assert stored(team, plan["id"]).status == "expired"
    assert team.get(f"/waste/findings/{finding.id}")["status"] == "open"
    assert runs_of(scope, late).sweep(plan_service(scope, late)) == 0


def test_a_run_that_nobody_started_is_started_by_the_sweep(team: Team) -> None:
    plan = team.planned("ec2.stop_instance")
    team.approve(plan)
    service = plan_service(team.world.scope)
    begun = replace(service.settle(plan["id"]), status="executing", execution_id=service.ids())
    run = replace(
        begun, run_id=begun.execution_id, executed_at=service.clock(),
        run_deadline_at=service.clock() + timedelta(hours=8), due_at=service.clock(),
    )  # fmt: skip
    service.plans.change(stored(team, plan["id"]), run, service.clock())
    assert started() == []
    assert tasks.sweep({}, None)["seen"] >= 1
    assert started() == [run.run_id]


def test_a_machine_that_died_is_ended_by_the_sweep(team: Team) -> None:
    """Nothing was done: the item says so, and its finding is open again."""
    finding = add_finding(team.world, team.world.make("ec2.stop_instance"))
    plan = team.plan(finding)
    team.approve(plan)
    run_id = team.execute(plan).json()["execution_id"]
    sfn = boto3.client("stepfunctions", region_name=REGION)
    sfn.stop_execution(executionArn=f"{MACHINE.replace('stateMachine', 'execution')}:{run_id}")
    late = FixedClock(system_clock() + START_AGAIN + timedelta(seconds=1))
    scope = team.world.scope
    runs_of(scope, late).sweep(plan_service(scope, late))
    shown = team.get(f"/waste/plans/{plan['id']}")
    assert (shown["status"], shown["items"][0]["error"]["code"]) == ("failed", "NOT_EXECUTED")
    assert team.get(f"/waste/findings/{finding.id}")["status"] == "open"
