"""From an uploaded bill to a finding's effective amount, through the stores."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import boto3
import pytest
from tidegate.findings import answers, wiring
from tidegate.findings.domain import FindingFilters
from tidegate.findings.prices.effective import ENOUGH_DAYS, WINDOW
from tidegate.findings.schemas import SavingView
from tidegate.findings.service import refresh
from tidegate.onboarding.domain import Registration
from tidegate.pipelines import public as pipelines
from tidegate.pipelines.domain import DayCosts
from tidegate.pipelines.repository import DynamoCostSeries
from tidegate_kit import dynamo
from tidegate_kit.clients import platform_client
from tidegate_kit.clock import FixedClock
from tidegate_kit.ids import new_id
from tidegate_kit.tenancy import TenantScope

from tests.builders.accounts import add_account
from tests.builders.findings import NOW
from tests.builders.findings_cases import CASES
from tests.builders.findings_store import BUCKET, machine_of, record
from tests.builders.settings import PREFIX, REGION
from tests.fakes.strict_aws.layer import strict_aws
from tests.fakes.tables import create_tables

LINE = pipelines.CostLine("AmazonEC2", "EBS:VolumeUsage.gp2")
COST = pipelines.RatedCost(Decimal(10), Decimal(8))


@pytest.fixture
def registration(
    environment: None, table_specs: Any, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Registration]:
    """A connected account with one gp2 volume in its inventory."""
    monkeypatch.setenv("DATA_BUCKET", BUCKET)
    with strict_aws():
        names = ("findings", "discovery", "onboarding", "pipelines")
        wanted = [f"{PREFIX}-{name}" for name in names]
        specs = [spec for spec in table_specs if spec.name in wanted]
        create_tables(boto3.client("dynamodb", region_name=REGION), specs)
        boto3.client("s3", region_name=REGION).create_bucket(Bucket=BUCKET)
        platform_client.cache_clear()
        dynamo.configure_store(dynamo.Store(PREFIX, REGION))
        made = add_account(new_id(), clock=FixedClock(NOW))
        record(made, [CASES["ebs-gp2-to-gp3"].found])
        yield made


def pay(scope: TenantScope, account_id: str, last_ago: timedelta = timedelta()) -> None:
    """A bill of just enough days, the last one so long ago."""
    last = (NOW - last_ago).date()
    days = [last - timedelta(days=number) for number in range(ENOUGH_DAYS)]
    costs = [DayCosts(day, "focus", {LINE: Decimal(8)}, {LINE: COST}) for day in days]
    DynamoCostSeries(scope).write(account_id, 0, costs, NOW)


def refreshed(scope: TenantScope) -> SavingView:
    parts = wiring.parts_of(scope, clock=FixedClock(NOW))
    started = refresh.start(
        parts, lambda one: None, refresh_id=new_id(), account_ids=None,
        check_ids=["ebs-gp2-to-gp3"], trigger="api",
    )  # fmt: skip
    machine_of(parts).execute({"tenant_id": scope.tenant_id, "refresh_id": started.id})
    queries = wiring.queries_of(scope, FixedClock(NOW))
    (row,), total, _ = queries.page("storage", FindingFilters(), 0, 100, None)
    assert total == 1
    return answers.finding(row).saving


def test_a_finding_shows_what_the_account_pays_once_its_bill_is_known(
    registration: Registration,
) -> None:
    scope = TenantScope(registration.tenant_id)
    before = refreshed(scope)
    assert before.monthly is not None
    assert before.effective_monthly is None
    pay(TenantScope(new_id()), registration.account_id)
    pay(scope, "999999999999")
    pay(scope, registration.account_id, WINDOW)
    assert refreshed(scope) == before, "another tenant's, another account's, an old bill"
    pay(scope, registration.account_id)
    after = refreshed(scope)
    assert after.monthly == before.monthly
    assert after.effective_monthly is not None
    assert Decimal(after.effective_monthly) == Decimal(before.monthly) * Decimal("0.8")
    for price in after.prices:
        assert price.unit_price is not None
        assert price.effective_unit_price is not None
        assert Decimal(price.effective_unit_price) == Decimal(price.unit_price) * Decimal("0.8")
    pipelines.hide_account(scope, registration.account_id)
    assert refreshed(scope) == before, "a disconnected account's bill is out of reach"
