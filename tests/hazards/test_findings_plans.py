"""Plans: drift, replayed approvals, second approvers (section G)."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from tidegate.findings.plans.models import PlanRow
from tidegate.findings.plans.wiring import plan_service, runs_of
from tidegate.findings.routes import router as findings
from tidegate.governance.routes import router as governance
from tidegate_kit.clock import FixedClock, system_clock
from tidegate_kit.ids import new_id
from tidegate_kit.settings import Settings

from tests.builders.api import ApiClient
from tests.builders.members import sign_in
from tests.builders.plan_runs import writes_of
from tests.builders.plans import Team, add_finding, make_machine, run_machine
from tests.builders.remediation import remediation_world
from tests.builders.settings import CUSTOMER_ACCOUNT, REGION
from tests.builders.workflows import ENVIRONMENT
from tests.fakes.strict_aws import StrictAws


@pytest.fixture
def team(platform: Settings, strict_aws: StrictAws, monkeypatch: pytest.MonkeyPatch) -> Team:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    make_machine(monkeypatch)
    owner = sign_in(roles=("client",), is_owner=True)
    connected = remediation_world(platform, strict_aws, tenant_id=owner.tenant_id)
    return Team(ApiClient([findings, governance], platform), owner, connected)


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json().get("error", {}).get("code", answer.text)


# ------------------------------------------------------------------ G26, G27


def _tamper(team: Team, plan: dict[str, Any], change: Callable[[PlanRow], None]) -> None:
    """Change a stored plan behind the product's back."""
    row = PlanRow.get(team.world.scope.pk, f"PLAN#{plan['id']}")
    change(row)
    row.save()


def _in_item(name: str, value: Any) -> Callable[[PlanRow], None]:
    def change(row: PlanRow) -> None:
        fixed = json.loads(json.dumps(row.fixed))
        fixed["items"][0][name] = value
        row.fixed = fixed

    return change


def _in_price(name: str, value: Any) -> Callable[[PlanRow], None]:
    def change(row: PlanRow) -> None:
        fixed = json.loads(json.dumps(row.fixed))
        fixed["items"][0]["price"][name] = value
        row.fixed = fixed

    return change


def _later(row: PlanRow) -> None:
    row.expires_at += timedelta(hours=1)


STORED: dict[str, Callable[[PlanRow], None]] = {
    "resource": _in_item("arn", f"arn:aws:ec2:{REGION}:{CUSTOMER_ACCOUNT}:volume/vol-0badc0de"),
    "resource type": _in_item("type", "ec2:instance"),
    "account": _in_item("account_id", "333333333333"),
    "region": _in_item("region", "eu-west-1"),
    "fingerprint": _in_item("fingerprint", "0" * 64),
    "action": _in_item("action", "ec2.delete_volume"),
    "parameters": _in_item("parameters", {"volume_type": "io2", "iops": 64000}),
    "price": _in_price("monthly", "99.00"),
    "formula": _in_price("formula", "0"),
    "expiry": _later,
}


# What no look at the resource can tell: the hash alone does.
ONLY_HASHED = ("stored-action", "stored-parameters", "stored-price", "stored-expiry")


@pytest.mark.hazard("G26")
@pytest.mark.bite("tidegate.findings.plans.domain.Plan.intact", returns=True, cases=ONLY_HASHED)
@pytest.mark.bite(
    "tidegate.findings.plans.service.PlanService._drift", returns=None, cases=("live",)
)
@pytest.mark.parametrize(
    "where",
    [pytest.param(f"stored {name}", id=f"stored-{name}") for name in STORED]
    + [pytest.param(f"live {name}", id=f"live-{name}") for name in ("tag", "type", "gone")],
)
def test_anything_changed_after_the_approval_is_refused(team: Team, where: str) -> None:
    """G26: one changed field of what was approved, or of the resource: 409, 0 write calls."""
    subject = team.world.make("ec2.modify_volume")
    plan = team.plan(add_finding(team.world, subject))
    team.approve(plan)
    kind, _, name = where.partition(" ")
    if kind == "stored":
        _tamper(team, plan, STORED[name])
    else:
        ec2, id_ = team.world.customer.client("ec2"), subject.arn.rpartition("/")[2]
        if name == "tag":
            ec2.create_tags(Resources=[id_], Tags=[{"Key": "team", "Value": "other"}])
        elif name == "type":
            ec2.modify_volume(VolumeId=id_, VolumeType="io1", Iops=100)
        else:
            ec2.delete_volume(VolumeId=id_)
    since = len(team.world.aws.calls)
    answer = team.execute(plan)
    assert code(answer) == (409, "PLAN_DRIFT")
    assert answer.json()["error"]["details"], "it is not said what has changed"
    assert writes_of(team.world.aws, since) == []
    assert team.get(f"/waste/plans/{plan['id']}")["status"] == "approved"


@pytest.mark.hazard("G26")
def test_a_plan_of_another_connection_is_gone(team: Team) -> None:
    """G26: a plan whose connection is no longer ours is as absent as after a disconnect (CLI-2)."""
    plan = team.plan(add_finding(team.world, team.world.make("ec2.modify_volume")))
    team.approve(plan)
    _tamper(team, plan, _in_item("onboarding_id", new_id()))
    since = len(team.world.aws.calls)
    assert code(team.execute(plan)) == (404, "NOT_FOUND")
    assert writes_of(team.world.aws, since) == []


@pytest.mark.hazard("G26")
@pytest.mark.bite("tidegate.findings.plans.executor.Executor._refuse", replacement=(
    lambda self, account, entry, item, at: self._act(
        account, self._write(entry.to("acting", captured={"volume_type": "gp2"})), item, at
    )
))  # fmt: skip
def test_a_change_between_the_check_and_the_act_is_refused_at_the_item(team: Team) -> None:
    """G26: a resource that changes after execute was accepted is not touched: refused_drift."""
    subject = team.world.make("ec2.modify_volume")
    plan = team.plan(add_finding(team.world, subject))
    team.approve(plan)
    started = team.execute(plan).json()
    id_ = subject.arn.rpartition("/")[2]
    tags = [{"Key": "team", "Value": "other"}]
    team.world.customer.client("ec2").create_tags(Resources=[id_], Tags=tags)
    since = len(team.world.aws.calls)
    run_machine(team.owner.tenant_id, started)
    assert writes_of(team.world.aws, since) == [], "acted on a changed resource"
    shown = team.get(f"/waste/plans/{plan['id']}")
    assert (shown["status"], shown["items"][0]["status"]) == ("failed", "refused_drift")


@pytest.mark.hazard("G27")
@pytest.mark.bite("tidegate.findings.plans.service.must_be_bound", returns=None)
@pytest.mark.parametrize("how", ["other plan", "slipped in", "voteless"])
def test_an_approval_counts_for_its_own_plan_alone(team: Team, how: str) -> None:
    """G27: another plan's approval, an item slipped in, a plan marked approved: refused."""
    approved = team.planned("ec2.stop_instance")
    team.approve(approved)
    target = team.planned("ec2.stop_instance")
    extra = team.world.item(team.world.make("ec2.stop_instance"))

    def change(row: PlanRow) -> None:
        row.status = "approved"
        if how == "other plan":
            row.approval_id = approved["approval_id"]
        if how == "slipped in":
            fixed = json.loads(json.dumps(row.fixed))
            fixed["items"].append(json.loads(json.dumps(vars(extra))))
            row.fixed = fixed

    _tamper(team, approved if how == "slipped in" else target, change)
    since = len(team.world.aws.calls)
    answer = team.execute(approved if how == "slipped in" else target)
    wanted = "PLAN_NOT_APPROVED" if how == "voteless" else "PLAN_DRIFT"
    assert code(answer) == (409, wanted)
    assert writes_of(team.world.aws, since) == []


@pytest.mark.hazard("G27")
@pytest.mark.bite("tidegate.findings.plans.service._must_be_approved", returns=None)
def test_an_approved_plan_expires(team: Team) -> None:
    """G27: after its expiry an approved plan is refused, and its findings are open again."""
    finding = add_finding(team.world, team.world.make("ec2.stop_instance"))
    plan = team.plan(finding, expires_in_hours=1)
    team.approve(plan)
    late = FixedClock(system_clock() + timedelta(hours=1, seconds=1))
    service = plan_service(team.world.scope, late)
    with pytest.raises(Exception) as refused:
        service.execute(plan["id"], team.owner.user_id)
    assert getattr(refused.value, "code", "") == "PLAN_EXPIRED"
    assert team.get(f"/waste/findings/{finding.id}")["status"] == "open"


@pytest.mark.hazard("G27")
@pytest.mark.bite("tidegate.findings.plans.runs.Runs._mine", replacement=(
    lambda self, plan_id, run_id: self.plans.get(plan_id)
))  # fmt: skip
def test_a_message_of_another_run_does_nothing(team: Team) -> None:
    """G27: the machine's message with an id of another run, or of a plan not begun: no call."""
    plan = team.planned("ec2.stop_instance")
    team.approve(plan)
    since = len(team.world.aws.calls)
    runs = runs_of(team.world.scope)
    item = plan["items"][0]["item_id"]
    assert runs.begin(plan["id"], new_id()) == []
    assert runs.item(plan["id"], new_id(), item).done
    assert writes_of(team.world.aws, since) == []


# ----------------------------------------------------------------------- G30


@pytest.mark.hazard("G30")
def test_irreversible_actions_need_two_others(team: Team) -> None:
    """G30: an irreversible plan with one approver is not executed; the requester never counts."""
    # Policies that would let anything happen at once change nothing about that.
    for policy in team.get("/governance/policies")["policies"]:
        path = f"/governance/policies/{policy['id']}"
        off = team.client.put(path, json={"enabled": False}, headers=team.owner.headers)
        assert off.status_code == 200, off.text
    text = 'permit (principal, action == Action::"logs.put_retention", resource);'
    made = team.post("/governance/policies", {"name": "At once", "text": text})
    assert made.status_code == 201, made.text
    plan = team.planned("logs.put_retention")
    assert (plan["status"], plan["decision"]["quorum"]) == ("pending_approval", 2)
    vote = {"subject_hash": plan["plan_hash"]}
    path = f"/approvals/{plan['approval_id']}/approve"
    assert code(team.post(path, vote)) == (403, "SELF_APPROVAL")
    assert team.post(path, vote, team.colleague(0)).status_code == 200
    assert code(team.post(path, vote, team.colleague(0))) == (409, "ALREADY_DECIDED")
    assert code(team.execute(plan)) == (409, "PLAN_NOT_APPROVED")
    assert team.post(path, vote, team.colleague(1)).status_code == 200
    assert team.execute(plan).status_code == 202
