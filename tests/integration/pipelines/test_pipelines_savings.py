"""savings-ledger end to end: an executed plan, daily costs, the pipeline, GET /waste/savings."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import pytest
from tidegate.findings.routes import router as findings
from tidegate.governance.routes import router as governance
from tidegate.pipelines.repository import DynamoCostSeries, DynamoExecutions
from tidegate.pipelines.wiring import DomainFindings
from tidegate_kit.clock import FixedClock
from tidegate_kit.settings import Settings
from tidegate_kit.tenancy import TenantScope

from tests.builders.api import ApiClient
from tests.builders.members import sign_in
from tests.builders.pipelines import World, accounts
from tests.builders.plans import Team, make_machine
from tests.builders.remediation import remediation_world
from tests.builders.settings import CUSTOMER_ACCOUNT
from tests.builders.workflows import ENVIRONMENT
from tests.fakes.budgets import MemoryBudgets
from tests.fakes.strict_aws.layer import StrictAws

HEADER = "ChargePeriodStart,SubAccountId,ServiceName,x_UsageType,BilledCost,BillingCurrency"
COMPUTE, OTHER = "Amazon Elastic Compute Cloud - Compute", "AWS Lambda"


@dataclass
class Measuring(World):
    """A world whose savings are measured by the product's own findings."""

    def measure_savings(self, day: date) -> int:
        return DomainFindings(TenantScope(self.tenant_id)).measure_savings(day)


@pytest.fixture
def team(platform: Settings, strict_aws: StrictAws, monkeypatch: pytest.MonkeyPatch) -> Team:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    make_machine(monkeypatch)
    owner = sign_in(roles=("client",), is_owner=True)
    world = remediation_world(platform, strict_aws, tenant_id=owner.tenant_id)
    return Team(ApiClient([findings, governance], platform), owner, world)


def focus_file(acted: date) -> str:
    """Compute costs 10 a day until the action and 8 from the next day on; the rest stays at 5."""
    rows = [HEADER]
    for number in range(-20, 36):
        day = acted + timedelta(days=number)
        for service, amount in ((COMPUTE, "8" if number > 0 else "10"), (OTHER, "5")):
            rows.append(f"{day}T00:00:00Z,{CUSTOMER_ACCOUNT},{service},use,{amount},USD")
    return "\n".join(rows) + "\n"


def measured(team: Team) -> dict[int, Decimal]:
    (entry,) = team.get("/waste/savings")["entries"]
    return {one["days"]: Decimal(one["amount"]) for one in entry["measured"]}


def test_measured_amounts_of_an_executed_plan_reach_the_ledger(team: Team) -> None:
    plan = team.executed(team.planned("ec2.stop_instance"))
    assert plan["status"] == "executed", plan
    (entry,) = team.get("/waste/savings")["entries"]
    assert (entry["plan_id"], entry["measured"]) == (plan["id"], [])
    acted = datetime.fromisoformat(entry["acted_at"]).date()

    scope = team.world.scope
    world = Measuring(
        DynamoExecutions(scope),
        DynamoCostSeries(scope),
        MemoryBudgets().of(scope.tenant_id),
        tenant_id=scope.tenant_id,
        clock=FixedClock(datetime.combine(acted + timedelta(days=36), time(4), UTC)),
        connected_accounts=accounts(CUSTOMER_ACCOUNT),
    )
    world.uploaded["costs.csv"] = ("1", focus_file(acted))
    assert world.run("cost-ingest", {"focus_file": "costs.csv"}).status == "completed"

    def ledger(days: int) -> int:
        """Run savings-ledger for so many days after the action; how many windows it measured."""
        day = (acted + timedelta(days=days)).isoformat()
        ended = world.run("savings-ledger", {"day": day})
        assert ended.status == "completed", ended
        return sum(stage.items for stage in ended.stages)

    assert (ledger(7), measured(team)) == (0, {}), "the first window is not over"
    assert (ledger(8), measured(team)) == (1, {7: Decimal(14)})
    assert (ledger(8), measured(team)) == (0, {7: Decimal(14)}), "again: nothing is added"
    assert (ledger(31), measured(team)) == (1, {7: Decimal(14), 30: Decimal(60)})
