"""The dashboard's figures of other domains (contract 2.8): workflows, approvals, the forecast."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from tidegate.accounts.routes import router
from tidegate.pipelines.domain import CostLine, DayCosts
from tidegate.pipelines.repository import DynamoCostSeries
from tidegate.workflows.domain import Approval, Execution, RunSettings, Version, Workflow
from tidegate.workflows.repository.approvals import DynamoApprovals
from tidegate.workflows.repository.blobs import inline_blob
from tidegate.workflows.repository.executions import DynamoExecutions
from tidegate.workflows.repository.workflows import DynamoWorkflows
from tidegate_kit.clock import FixedClock
from tidegate_kit.ids import new_id
from tidegate_kit.settings import Settings
from tidegate_kit.tenancy import TenantScope

from tests.builders.api import ApiClient
from tests.builders.governance import add_approval
from tests.builders.members import SignedIn, sign_in
from tests.builders.settings import CUSTOMER_ACCOUNT


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
def client(platform: Settings, clock: FixedClock, monkeypatch: pytest.MonkeyPatch) -> ApiClient:
    monkeypatch.setenv("DATA_BUCKET", "tidegate-test-data")
    return ApiClient([router], platform, clock)


@pytest.fixture
def member(client: ApiClient, clock: FixedClock) -> SignedIn:
    return sign_in(roles=("client",), clock=clock)


def read(client: ApiClient, member: SignedIn, name: str) -> dict[str, Any]:
    answer = client.get(f"/api/client/{name}", headers=member.headers)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def a_workflow(member: SignedIn, clock: FixedClock, *, is_active: bool = True) -> Workflow:
    now, user = clock(), member.user_id
    made = Workflow(
        id=new_id(), name="w", description="", is_active=is_active, created_by=user,
        created_at=now, updated_at=now, version=1, settings=RunSettings(),
    )  # fmt: skip
    version = Version(made.id, 1, now, user, "0" * 64, inline_blob({"nodes": []}), True)
    DynamoWorkflows(TenantScope(member.tenant_id)).create(made, version)
    return made


def an_execution(
    member: SignedIn,
    of: Workflow,
    clock: FixedClock,
    end: Any = None,
    ago: timedelta = timedelta(0),
) -> None:
    wanted = Execution(
        id=new_id(), workflow_id=of.id, workflow_version=1, status="running", trigger="api",
        principal=member.user_id, started_at=clock() - ago, input=inline_blob({}),
        timeout_seconds=60,
    )  # fmt: skip
    store = DynamoExecutions(TenantScope(member.tenant_id))
    made = store.create(wanted, 10, "queue")
    assert made is not None
    if end is not None:
        assert store.end(made, end, clock())


def test_the_dashboard_counts_workflows_and_their_executions_of_a_day(
    client: ApiClient, member: SignedIn, clock: FixedClock
) -> None:
    used = a_workflow(member, clock)
    a_workflow(member, clock, is_active=False)
    an_execution(member, used, clock, "failed", timedelta(hours=24, seconds=1))
    for end in ("failed", "timed_out", "completed", None):
        an_execution(member, used, clock, end)
    other = sign_in(roles=("client",), clock=clock)
    an_execution(other, a_workflow(other, clock), clock, "failed")
    shown = read(client, member, "dashboard")["workflows"]
    assert shown == {"active": 1, "executions_last_24h": 4, "failed_last_24h": 2}


def test_pending_approvals_of_every_kind_are_counted(
    client: ApiClient, member: SignedIn, clock: FixedClock
) -> None:
    """Expired ones wait for nobody, even before the sweep has closed them (GOV-4)."""
    scope = TenantScope(member.tenant_id)
    add_approval(scope, new_id(), clock=clock, expires_at=clock() + timedelta(hours=1))
    add_approval(scope, new_id(), clock=clock, expires_at=clock() - timedelta(seconds=1))
    step = Approval(
        id=new_id(), execution_id=new_id(), workflow_id=new_id(), step_id="a",
        subject_hash="0" * 64, title="t", description="", requested_by=new_id(),
        requested_at=clock(), quorum=1, approver_role="client",
        expires_at=clock() + timedelta(hours=1), task_token="t",
    )  # fmt: skip
    DynamoApprovals(scope).open(step)
    assert read(client, member, "dashboard")["approvals"] == {"pending": 2}
    assert read(client, member, "summary")["pending_approvals"] == 2


def spend(member: SignedIn, clock: FixedClock, days: int) -> date:
    """Costs of 2.00 USD on each of the days before today; returns today."""
    today = clock().date()
    cost = {CostLine("AmazonEC2", "BoxUsage"): Decimal(2)}
    past = [DayCosts(today - timedelta(days=n), "ce", cost) for n in range(1, days + 1)]
    DynamoCostSeries(TenantScope(member.tenant_id)).write(CUSTOMER_ACCOUNT, 0, past, clock())
    return today


@pytest.mark.parametrize(("days", "forecast"), [(6, None), (7, "62.00"), (28, "62.00")])
def test_the_months_forecast_needs_seven_days(
    client: ApiClient, member: SignedIn, clock: FixedClock, days: int, forecast: str | None
) -> None:
    """January at 2.00 USD a day; unknown money is null, never 0 (CLI-1)."""
    spend(member, clock, days)
    assert read(client, member, "dashboard")["costs"]["forecast_month"] == forecast
