"""Plans over the whole pipeline: finding, plan, approval, execution, undo (contract 2.10)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from tidegate.findings.routes import router as findings
from tidegate.governance.routes import router as governance
from tidegate.onboarding.repository import DynamoRegistrations
from tidegate_kit.clock import system_clock
from tidegate_kit.ids import new_id
from tidegate_kit.settings import Settings

from tests.builders.api import ApiClient
from tests.builders.members import sign_in
from tests.builders.plans import Team, add_finding, make_machine, run_machine
from tests.builders.remediation import Subject, remediation_world
from tests.builders.workflows import ENVIRONMENT
from tests.fakes.strict_aws import StrictAws

PLAN_KEYS = {
    "id", "status", "plan_hash", "items", "totals", "decision", "approval_id", "execution_id",
    "created_by", "created_at", "expires_at",
}  # fmt: skip
ITEM_KEYS = {
    "item_id", "finding_id", "resource_arn", "fingerprint", "action", "parameters", "monthly",
    "reversible", "undo_until", "status", "error",
}  # fmt: skip


@pytest.fixture
def team(platform: Settings, strict_aws: StrictAws, monkeypatch: pytest.MonkeyPatch) -> Team:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    make_machine(monkeypatch)
    owner = sign_in(roles=("client",), is_owner=True)
    world = remediation_world(platform, strict_aws, tenant_id=owner.tenant_id)
    return Team(ApiClient([findings, governance], platform), owner, world)


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def volume_of(team: Team, subject: Subject) -> dict[str, Any]:
    id_ = subject.arn.rpartition("/")[2]
    answer = team.world.customer.client("ec2").describe_volumes(VolumeIds=[id_])
    found: dict[str, Any] = answer["Volumes"][0]
    return found


def test_finding_plan_approval_execution_undo(team: Team) -> None:
    subject = team.world.make("ec2.modify_volume")
    finding = add_finding(team.world, subject)
    plan = team.plan(finding)
    assert set(plan) == PLAN_KEYS
    assert set(plan["items"][0]) == ITEM_KEYS
    assert (plan["status"], plan["decision"]["effect"]) == ("pending_approval", "require_approval")
    assert plan["totals"] == {"monthly": "12.50", "unpriced": 0}
    shown = team.get(f"/waste/findings/{finding.id}")
    assert shown["status"] == "planned"
    assert code(team.execute(plan)) == (409, "PLAN_NOT_APPROVED")

    done = team.executed(plan)
    assert done["status"] == "executed"
    item = done["items"][0]
    assert (item["status"], item["error"]) == ("done", None)
    assert item["undo_until"] is not None
    assert volume_of(team, subject)["VolumeType"] == "gp3"
    assert code(team.execute(plan)) == (409, "PLAN_ALREADY_EXECUTED")

    back = team.undone(plan)
    assert (back["status"], back["items"][0]["status"]) == ("undone", "undone")
    assert volume_of(team, subject)["VolumeType"] == "gp2"
    assert code(team.post(f"/waste/plans/{plan['id']}/undo")) == (409, "NOT_REVERSIBLE")
    assert team.get(f"/waste/findings/{finding.id}")["status"] == "open"


def test_a_plan_of_several_accounts_actions_runs_and_partly_goes_back(team: Team) -> None:
    plan = team.planned("ec2.stop_instance", "lambda.set_memory", "logs.put_retention")
    assert plan["decision"]["quorum"] == 2, "irreversible needs two"
    done = team.executed(plan)
    assert done["status"] == "executed"
    by_action = {item["action"]: item for item in done["items"]}
    assert by_action["logs.put_retention"]["undo_until"] is None
    chosen = by_action["ec2.stop_instance"]["item_id"]
    kept = by_action["logs.put_retention"]["item_id"]
    path = f"/waste/plans/{plan['id']}/undo"
    assert code(team.post(path, {"item_ids": [kept]})) == (409, "NOT_REVERSIBLE")
    assert code(team.post(path, {"item_ids": [new_id()]})) == (422, "VALIDATION_ERROR")
    back = team.undone(plan, item_ids=[chosen])
    assert back["status"] == "partially_executed"
    assert {item["action"]: item["status"] for item in back["items"]} == {
        "ec2.stop_instance": "undone",
        "lambda.set_memory": "done",
        "logs.put_retention": "done",
    }


def test_plans_are_listed_newest_first(team: Team) -> None:
    made = [team.planned("ec2.stop_instance")["id"] for _ in range(3)]
    first = team.get("/waste/plans?page_size=2")
    assert [plan["id"] for plan in first["plans"]] == made[:0:-1]
    assert (first["total"], first["total_pages"]) == (3, 2)
    rest = team.get(f"/waste/plans?page_size=2&cursor={first['next_cursor']}")
    assert [plan["id"] for plan in rest["plans"]] == made[:1]
    assert "next_cursor" not in rest


def test_bad_findings_are_refused_and_nothing_is_written(team: Team) -> None:
    world, subject = team.world, team.world.make("ec2.create_tags")
    planned = add_finding(world, subject)
    team.plan(planned)
    excepted = add_finding(
        world, world.make("ec2.stop_instance"), excepted_until=system_clock() + timedelta(days=9)
    )
    resolved = add_finding(
        world, world.make("ec2.stop_instance"), status="resolved", resolved_at=system_clock()
    )
    actionless = add_finding(world, world.make("ec2.stop_instance"), action=None)
    good = add_finding(world, world.make("ec2.stop_instance"))
    before = plans_of(team)
    for ids, expected in (
        ([new_id()], (404, "NOT_FOUND")),
        ([planned.id], (409, "FINDING_IN_PLAN")),
        ([good.id, planned.id], (409, "FINDING_IN_PLAN")),
        ([excepted.id], (409, "CONSTRAINT_VIOLATION")),
        ([resolved.id], (409, "CONSTRAINT_VIOLATION")),
        ([actionless.id], (422, "VALIDATION_ERROR")),
        ([good.id, good.id], (422, "VALIDATION_ERROR")),
        ([], (422, "VALIDATION_ERROR")),
        ([new_id() for _ in range(51)], (422, "VALIDATION_ERROR")),
    ):
        assert code(team.post("/waste/plans", {"finding_ids": ids})) == expected, ids
    assert plans_of(team) == before
    assert team.get(f"/waste/findings/{good.id}")["status"] == "open"


def plans_of(team: Team) -> list[str]:
    return [plan["id"] for plan in team.get("/waste/plans")["plans"]]


def test_a_denied_action_stores_nothing(team: Team) -> None:
    finding = add_finding(team.world, team.world.make("ec2.stop_instance"))
    text = 'forbid (principal, action == Action::"ec2.stop_instance", resource);'
    made = team.post("/governance/policies", {"name": "No stopping", "text": text})
    assert made.status_code == 201, made.text
    answer = team.post("/waste/plans", {"finding_ids": [finding.id]})
    assert code(answer) == (403, "POLICY_DENIED")
    assert plans_of(team) == []
    assert team.get(f"/waste/findings/{finding.id}")["status"] == "open"


def test_a_policy_made_after_the_approval_still_counts(team: Team) -> None:
    plan = team.planned("ec2.stop_instance")
    team.approve(plan)
    text = 'forbid (principal, action == Action::"ec2.stop_instance", resource);'
    team.post("/governance/policies", {"name": "No stopping", "text": text})
    assert code(team.execute(plan)) == (403, "POLICY_DENIED")


def test_an_account_for_reading_is_not_changed(team: Team) -> None:
    finding = add_finding(team.world, team.world.make("ec2.stop_instance"))
    store = DynamoRegistrations(team.world.scope)
    from dataclasses import replace

    from tidegate.onboarding.repository import change

    change(store, team.world.registration.id, lambda old: replace(old, tier="read"))
    answer = team.post("/waste/plans", {"finding_ids": [finding.id]})
    assert code(answer) == (409, "TIER_INSUFFICIENT")


def test_cancelling_frees_findings_and_closes_the_approval(team: Team) -> None:
    finding = add_finding(team.world, team.world.make("ec2.stop_instance"))
    plan = team.plan(finding)
    answer = team.post(f"/waste/plans/{plan['id']}/cancel")
    assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
    assert team.get(f"/waste/findings/{finding.id}")["status"] == "open"
    assert team.get(f"/approvals/{plan['approval_id']}")["status"] == "cancelled"
    assert code(team.execute(plan)) == (409, "PLAN_NOT_APPROVED")
    again = team.post(f"/waste/plans/{plan['id']}/cancel")
    assert (again.status_code, again.json()["status"]) == (200, "cancelled")
    assert team.plan(finding)["status"] == "pending_approval"


def test_rejection_closes_the_plan(team: Team) -> None:
    plan = team.planned("ec2.stop_instance")
    rejected = team.post(
        f"/approvals/{plan['approval_id']}/reject",
        {"subject_hash": plan["plan_hash"], "comment": "not now"},
        team.colleague(),
    )
    assert rejected.status_code == 200, rejected.text
    assert team.get(f"/waste/plans/{plan['id']}")["status"] == "rejected"
    assert code(team.execute(plan)) == (409, "PLAN_NOT_APPROVED")


def test_an_executing_plan_cannot_be_cancelled_or_undone(team: Team) -> None:
    plan = team.planned("ec2.stop_instance")
    team.approve(plan)
    started = team.execute(plan).json()
    assert set(started) == {"plan_id", "execution_id", "status"}
    assert code(team.post(f"/waste/plans/{plan['id']}/cancel")) == (409, "PLAN_EXECUTING")
    assert code(team.post(f"/waste/plans/{plan['id']}/undo")) == (409, "PLAN_EXECUTING")
    run_machine(team.owner.tenant_id, started)
    assert code(team.post(f"/waste/plans/{plan['id']}/cancel")) == (409, "PLAN_ALREADY_EXECUTED")
