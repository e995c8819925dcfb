"""List and effective cost of FOCUS files: which rows count, and what is refused."""

from __future__ import annotations

import csv
import io
from datetime import date
from decimal import Decimal

import pytest
from tidegate.pipelines import focus
from tidegate.pipelines.domain import CostLine, RatedCost
from tidegate.pipelines.errors import FocusInvalid

from tests.builders.pipelines import ONE, memory_world

DAY = date(2026, 3, 1)
LINE = CostLine("AmazonEC2", "BoxUsage:m5.large")
ROW = {
    "ChargePeriodStart": "2026-03-01T00:00:00Z", "SubAccountId": ONE, "ServiceName": "AmazonEC2",
    "BilledCost": "0", "BillingCurrency": "USD", "x_UsageType": LINE.usage_type,
    "ChargeCategory": "Usage", "ChargeClass": "", "CommitmentDiscountStatus": "Used",
    "PricingCategory": "Committed", "ListCost": "0.096", "EffectiveCost": "0.064",
}  # fmt: skip


def file(*rows: dict[str, str], without: tuple[str, ...] = ()) -> str:
    names = [name for name in ROW if name not in without]
    text = io.StringIO()
    writer = csv.DictWriter(text, names, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows({**ROW, **row} for row in rows)
    return text.getvalue()


def read(text: str) -> focus.Read:
    return focus.read(iter(text.splitlines(keepends=True)))


def test_usage_with_both_costs_is_summed_by_line() -> None:
    on_demand = {"CommitmentDiscountStatus": "", "PricingCategory": "Standard",
                 "BilledCost": "0.096", "EffectiveCost": "0.096"}  # fmt: skip
    found = read(file({}, on_demand))
    assert found.rated_of(ONE, DAY) == {LINE: RatedCost(Decimal("0.192"), Decimal("0.160"))}
    assert found.costs[ONE][DAY] == {LINE: Decimal("0.096")}


@pytest.mark.parametrize(
    "row",
    [
        {"ChargeCategory": "Purchase", "ListCost": "560", "EffectiveCost": "0"},
        {"ChargeCategory": "Tax"},
        {"ChargeCategory": "Credit", "ListCost": "0", "EffectiveCost": "-5"},
        {"ChargeCategory": ""},
        {"ChargeClass": "Correction"},
        {"CommitmentDiscountStatus": "Unused", "ListCost": "0"},
        {"PricingCategory": "Dynamic"},
        {"ListCost": ""},
        {"EffectiveCost": "NULL"},
    ],
)
def test_other_rows_cost_but_are_not_rated(row: dict[str, str]) -> None:
    found = read(file({**row, "BilledCost": "3"}))
    assert found.costs[ONE][DAY] == {LINE: Decimal(3)}
    assert found.rated_of(ONE, DAY) == {}


@pytest.mark.parametrize(
    "missing", [("ListCost",), ("EffectiveCost",), ("ListCost", "EffectiveCost")]
)
def test_the_columns_are_optional(missing: tuple[str, ...]) -> None:
    assert read(file({"BilledCost": "3"}, without=missing)).rated_of(ONE, DAY) == {}


def test_columns_that_qualify_may_be_absent_too() -> None:
    names = ("ChargeClass", "CommitmentDiscountStatus", "PricingCategory")
    assert read(file({}, without=names)).rated_of(ONE, DAY).keys() == {LINE}


@pytest.mark.parametrize("name", ["ListCost", "EffectiveCost"])
@pytest.mark.parametrize("value", ["many", "NaN", "Infinity", "1e13", "0." + "1" * 21])
@pytest.mark.parametrize("category", ["Usage", "Purchase"])
def test_a_cost_that_is_none_is_refused(name: str, value: str, category: str) -> None:
    with pytest.raises(FocusInvalid, match=f"row 3, column {name}"):
        read(file({}, {name: value, "ChargeCategory": category}))


def test_an_upload_stores_what_it_tells() -> None:
    world = memory_world()
    world.uploaded = {"a.csv": ("1", file({}))}
    world.run("cost-ingest", {"focus_file": "a.csv"})
    (day,) = world.costs.days(ONE, DAY, DAY)
    assert day.rated == {LINE: RatedCost(Decimal("0.096"), Decimal("0.064"))}
