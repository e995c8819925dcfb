"""Plans of an account that is disconnected: out of the list, its total, then deleted (CLI-2)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tidegate.accounts.routes import router as accounts
from tidegate.findings.plans.repository import DynamoPlans
from tidegate.findings.plans.wiring import plan_service, runs_of
from tidegate.findings.routes import router as findings
from tidegate.governance.routes import router as governance
from tidegate.onboarding.repository import DynamoRegistrations
from tidegate.onboarding.service import disconnect
from tidegate_kit.clock import system_clock
from tidegate_kit.errors import NotFound
from tidegate_kit.settings import Settings

from tests.builders.accounts import add_account
from tests.builders.api import ApiClient
from tests.builders.leaving import add_open_plan
from tests.builders.members import sign_in
from tests.builders.plans import Team, add_finding, make_machine
from tests.builders.remediation import remediation_world
from tests.builders.workflows import ENVIRONMENT
from tests.fakes.strict_aws import StrictAws


@pytest.fixture
def team(platform: Settings, strict_aws: StrictAws, monkeypatch: pytest.MonkeyPatch) -> Team:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    make_machine(monkeypatch)
    owner = sign_in(roles=("client",), is_owner=True)
    world = remediation_world(platform, strict_aws, tenant_id=owner.tenant_id)
    return Team(ApiClient([findings, governance, accounts], platform), owner, world)


def listed(team: Team) -> tuple[list[str], int]:
    """Ids over all pages of one, and the total; every page says the same total."""
    ids: list[str] = []
    totals: set[int] = set()
    query = ""
    while True:
        page: dict[str, Any] = team.get(f"/waste/plans?page_size=1{query}")
        ids += [plan["id"] for plan in page["plans"]]
        totals.add(page["total"])
        if "next_cursor" not in page:
            assert len(totals) == 1
            return ids, totals.pop()
        assert len(page["plans"]) == 1, "a page with less than its size is the last one"
        query = f"&cursor={page['next_cursor']}"


def gone(team: Team) -> None:
    """The disconnect is committed, and its process dies there."""
    store = DynamoRegistrations(team.world.scope)
    disconnect(store, team.world.registration.id, "test", system_clock())


def test_list_and_total_agree_from_the_disconnect_on(team: Team) -> None:
    other = add_account(team.owner.tenant_id, "333333333333")
    kept = [add_open_plan(team.world.scope, other.id).id for _ in range(2)]
    done = team.executed(team.planned("ec2.stop_instance"))["id"]
    hidden = [team.planned("ec2.stop_instance")["id"] for _ in range(2)]
    kept.append(add_open_plan(team.world.scope, other.id).id)
    assert listed(team) == ([kept[2], *hidden[::-1], done, *kept[1::-1]], 6)
    gone(team)
    assert listed(team) == ([kept[2], done, *kept[1::-1]], 4)


def test_disconnecting_counts_and_deletes_open_plans(team: Team) -> None:
    done = team.executed(team.planned("ec2.stop_instance"))["id"]
    plans = [team.planned("ec2.stop_instance") for _ in range(2)]
    path = f"/client/accounts/{team.world.registration.id}"
    answer = team.client.delete(path, headers=team.owner.headers)
    assert (answer.status_code, answer.json()["cascade"]["plans"]) == (200, 2), answer.text
    assert listed(team) == ([done], 1)
    for plan in plans:
        with pytest.raises(NotFound):
            DynamoPlans(team.world.scope).get(plan["id"])
        assert team.get(f"/approvals/{plan['approval_id']}")["status"] == "cancelled"
    assert team.client.delete(path, headers=team.owner.headers).status_code == 404


def test_findings_of_other_accounts_are_open_again(team: Team) -> None:
    other = add_account(team.owner.tenant_id, "333333333333")
    finding = add_finding(team.world, team.world.make("ec2.stop_instance"))
    team.plan(finding)
    store = DynamoPlans(team.world.scope)
    plan = store.waiting()[0]
    theirs = replace(plan.items[0], id="other", finding_id="other", onboarding_id=other.id)
    store.change(plan, replace(plan, items=(*plan.items, theirs)), system_clock())
    path = f"/client/accounts/{other.id}"
    answer = team.client.delete(path, headers=team.owner.headers)
    assert answer.json()["cascade"]["plans"] == 1
    assert team.get(f"/waste/findings/{finding.id}")["status"] == "open"
    assert listed(team) == ([], 0)


def test_the_sweep_deletes_what_a_cascade_left(team: Team) -> None:
    plan = team.planned("ec2.stop_instance")
    gone(team)
    store = DynamoPlans(team.world.scope)
    waiting = store.get(plan["id"])
    store.change(waiting, replace(waiting, due_at=system_clock()), system_clock())
    scope = team.world.scope
    assert runs_of(scope).sweep(plan_service(scope)) == 1
    with pytest.raises(NotFound):
        store.get(plan["id"])
    assert team.get(f"/approvals/{plan['approval_id']}")["status"] == "cancelled"
