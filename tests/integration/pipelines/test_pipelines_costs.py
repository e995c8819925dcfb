"""The cost series: DynamoDB and its twin under one contract; what other domains read of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import boto3
import pytest
from tidegate.accounts import answers
from tidegate.accounts.wiring import TenantCosts
from tidegate.onboarding import inventory
from tidegate.pipelines import public
from tidegate.pipelines.budget import budget_store
from tidegate.pipelines.domain import (
    CostLine,
    CostPoint,
    DayCosts,
    RatedCost,
    RatedLine,
    Source,
)
from tidegate.pipelines.errors import AccountGone, TooManyLines
from tidegate.pipelines.executions import new_execution
from tidegate.pipelines.repository import CostSeries, DynamoCostSeries, DynamoExecutions
from tidegate.pipelines.service import series
from tidegate_kit.ids import new_id
from tidegate_kit.settings import Settings, settings_of
from tidegate_kit.tenancy import TenantScope

from tests.builders.settings import PREFIX, REGION
from tests.fakes.pipelines import MemoryCostSeries
from tests.fakes.tables import dump_tables

NOW = datetime(2026, 3, 10, tzinfo=UTC)
ONE, TWO = "111111111111", "222222222222"
FIRST = date(2026, 3, 1)


def day(number: int, amount: str, source: Source = "ce", service: str = "AmazonEC2") -> DayCosts:
    lines = {
        CostLine(service, "BoxUsage"): Decimal(amount),
        CostLine("AmazonS3", "Storage"): Decimal("0.1"),
    }
    return DayCosts(FIRST + timedelta(days=number), source, lines)


@pytest.fixture(params=["memory", "dynamo"])
def store(request: pytest.FixtureRequest) -> Iterator[CostSeries]:
    if request.param == "memory":
        yield MemoryCostSeries()
    else:
        request.getfixturevalue("platform")
        yield DynamoCostSeries(TenantScope(new_id()))


def amounts(points: list[CostPoint]) -> dict[int, Decimal]:
    return {point.date.day: point.amount for point in points}


def test_days_are_replaced_as_a_whole_and_read_back_exactly(store: CostSeries) -> None:
    store.write(ONE, 0, [day(number, "1.10") for number in range(25)], NOW)
    store.write(ONE, 0, [day(0, "2.000000001")], NOW)
    days = store.days(ONE, FIRST, FIRST + timedelta(days=40))
    assert len(days) == 25
    assert days[0].lines == day(0, "2.000000001").lines
    assert store.totals(ONE, FIRST, FIRST) == [(FIRST, "ce", Decimal("2.100000001"))]
    assert store.accounts() == [ONE]


def test_a_bill_counts_before_what_the_api_says_and_is_never_added(store: CostSeries) -> None:
    store.write(ONE, 0, [day(0, "1"), day(1, "1")], NOW)
    store.write(ONE, 0, [day(0, "5", "focus")], NOW)
    for service in (None, "AmazonEC2"):
        read = series.cost_series(store, ONE, service, None, FIRST, FIRST + timedelta(days=1))
        extra = Decimal("0.1") if service is None else Decimal(0)
        assert amounts(read) == {1: 5 + extra, 2: 1 + extra}


def test_accounts_are_summed_and_unknown_days_are_absent(store: CostSeries) -> None:
    store.write(ONE, 0, [day(0, "1"), day(3, "1")], NOW)
    store.write(TWO, 0, [day(0, "2")], NOW)
    end = FIRST + timedelta(days=9)
    assert amounts(series.cost_series(store, None, "AmazonEC2", None, FIRST, end)) == {1: 3, 4: 1}
    assert amounts(series.cost_series(store, TWO, "Other", None, FIRST, end)) == {1: 0}
    assert amounts(series.cost_series(store, ONE, None, "Storage", FIRST, FIRST)) == {
        1: Decimal("0.1")
    }


def test_months(store: CostSeries) -> None:
    assert series.month_costs(store, date(2026, 3, 10)) == (None, None)
    store.write(ONE, 0, [day(-1, "1"), day(-28, "1"), day(-29, "9"), day(0, "4")], NOW)
    assert series.month_costs(store, date(2026, 3, 10)) == (Decimal("4.1"), Decimal("2.2"))


def test_a_disconnect_hides_at_once_and_refuses_what_is_on_its_way(store: CostSeries) -> None:
    store.write(ONE, store.generation(ONE), [day(n, "1") for n in range(3)], NOW)
    began = store.generation(ONE)
    store.hide(ONE, NOW)
    assert store.days(ONE, FIRST, FIRST + timedelta(days=9)) == []
    with pytest.raises(AccountGone):
        store.write(ONE, began, [day(0, "1")], NOW)
    assert store.delete_some(ONE, 2) == 2
    assert store.delete_some(ONE, 2) == 1
    assert store.delete_some(ONE, 2) == 0
    store.write(ONE, store.generation(ONE), [day(0, "7")], NOW)
    assert len(store.days(ONE, FIRST, FIRST)) == 1, "connected anew"


def test_an_account_that_had_no_series_can_be_hidden(store: CostSeries) -> None:
    store.hide(ONE, NOW)
    with pytest.raises(AccountGone):
        store.write(ONE, 0, [day(0, "1")], NOW)


def test_list_and_effective_costs_are_kept_and_read_by_line(store: CostSeries) -> None:
    line, other = CostLine("AmazonEC2", "BoxUsage"), CostLine("AmazonS3", "Storage")
    cost = RatedCost(Decimal("0.0960"), Decimal("0.064"))
    rated = replace(day(0, "1", "focus"), rated={line: cost})
    store.write(ONE, 0, [rated, day(0, "1"), day(1, "1")], NOW)
    stored = {one.source: one for one in store.days(ONE, FIRST, FIRST)}
    assert stored["focus"] == rated
    assert stored["ce"].rated == {}
    assert other in stored["focus"].lines
    assert series.rated_costs(store, ONE, FIRST, FIRST + timedelta(days=9)) == [
        RatedLine(FIRST, line, cost)
    ]
    store.write(ONE, 0, [day(0, "2", "focus")], NOW)
    assert series.rated_costs(store, ONE, FIRST, FIRST) == [], "a day is replaced as a whole"


def test_a_day_that_no_item_holds_writes_nothing(platform: Settings) -> None:
    store = DynamoCostSeries(TenantScope(new_id()))
    lines = {CostLine(new_id(), new_id()): Decimal(1) for _ in range(12_000)}
    with pytest.raises(TooManyLines):
        store.write(ONE, 0, [day(0, "1"), DayCosts(FIRST, "focus", lines)], NOW)
    assert store.accounts() == []


def test_public_reads_are_of_one_tenant(platform: Settings) -> None:
    mine, other = TenantScope(new_id()), TenantScope(new_id())
    DynamoCostSeries(mine).write(ONE, 0, [day(0, "1")], NOW)
    read: Callable[[TenantScope], list[CostPoint]] = lambda scope: public.cost_series(  # noqa: E731
        scope, None, None, None, FIRST, FIRST
    )
    assert amounts(read(mine)) == {1: Decimal("1.1")}
    assert read(other) == []
    public.hide_account(mine, ONE)
    assert read(mine) == []
    assert public.delete_account(mine, ONE, steps=1) is False
    assert public.delete_account(mine, ONE) is True


def test_the_dashboard_and_the_disconnect_know_the_costs(
    platform: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CLI-2: costs are on the dashboard, and out of it with the account."""
    scope = TenantScope(new_id())
    DynamoCostSeries(scope).write(ONE, 0, [day(-1, "1"), day(0, "2"), day(8, "3")], NOW)
    costs = TenantCosts(scope, NOW)
    shown = answers.costs(costs.series(), NOW)
    assert (shown.month_to_date, shown.last_month, shown.forecast_month) == ("5.20", "1.10", None)
    assert [point.date for point in shown.series] == ["2026-02-28", "2026-03-01", "2026-03-09"]
    monkeypatch.setenv("DATA_BUCKET", "tidegate-test-data")
    boto3.client("s3", region_name=REGION).create_bucket(Bucket="tidegate-test-data")
    settings_of.cache_clear()
    inventory.clean_up(scope.tenant_id, ONE)
    assert answers.costs(costs.series(), NOW).month_to_date is None
    assert public.delete_account(scope, ONE) is True


def test_a_tenant_is_forgotten(platform: Settings) -> None:
    """G25: no row of the tenant is left, of any kind; the other tenant keeps his."""
    mine, other = TenantScope(new_id()), TenantScope(new_id())
    for scope in (mine, other):
        store = DynamoCostSeries(scope)
        store.write(ONE, 0, [day(n, "1") for n in range(12)], NOW)
        store.hide(ONE, NOW)
        store.write(ONE, 1, [day(0, "1")], NOW)
        execution = new_execution(new_id(), scope.tenant_id, "cost-ingest", "api", {}, NOW)
        DynamoExecutions(scope).begin(execution, NOW)
        DynamoExecutions(scope).mark_file("a.csv", "tag", NOW)
        reserved = public.reserve_aws_api(scope, Decimal("0.01"))
        public.settle_aws_api(scope, reserved, Decimal("0.01"))
    rounds = 0
    while not public.forget_tenant(mine, 10):
        rounds += 1
        assert rounds < 20
    client = boto3.client("dynamodb", region_name=REGION)
    left = dump_tables(client, [f"{PREFIX}-pipelines"])[f"{PREFIX}-pipelines"]
    assert left
    assert all(other.tenant_id in item["pk"]["S"] for item in left)


def test_the_budget_for_paid_calls_is_five_dollars_unless_said_otherwise(
    platform: Settings,
) -> None:
    scope = TenantScope(new_id())
    public.reserve_aws_api(scope, Decimal("4.99"))
    with pytest.raises(public.BudgetExceeded):
        public.reserve_aws_api(scope, Decimal("0.02"))
    budget_store(scope.tenant_id).set_limits(10**10, None, NOW)
    public.reserve_aws_api(scope, Decimal("0.02"))
