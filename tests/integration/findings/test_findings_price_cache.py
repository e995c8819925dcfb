"""Loaded prices in the data bucket, and the book that is made of them."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from tidegate.findings import tasks, wiring
from tidegate.findings.prices.book import Figure, baseline
from tidegate_kit.settings import Settings, settings_of

from tests.builders.findings_store import BUCKET
from tests.builders.settings import REGION


def test_the_book_is_the_baseline_with_what_was_loaded_over_it(
    platform: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATA_BUCKET", BUCKET)
    boto3.client("s3", region_name=REGION).create_bucket(Bucket=BUCKET)
    assert wiring.prices() is baseline()
    figure = Figure("vpc/nat-gateway", REGION, "hour", Decimal("0.05"), "api", "2026-01-02")
    wiring.price_cache().put(REGION, [figure])
    assert wiring.price_cache().get(REGION) == [figure]
    assert wiring.prices().version == "2026-01-02"
    assert wiring.prices().price("vpc/nat-gateway", REGION, "hour").unit_price == Decimal("0.05")
    assert wiring.prices().price("elb/network", REGION, "hour").unit_price == Decimal("0.0225")


class Pricing:
    """boto3's pricing client: a NAT gateway's hour at one price; some regions fail."""

    def __init__(self, price: str, failing: str = "") -> None:
        self.price = price
        self.failing = failing

    def get_products(self, **request: Any) -> dict[str, Any]:
        filters = {one["Field"]: one["Value"] for one in request["Filters"]}
        if filters["regionCode"] == self.failing:
            raise ClientError({"Error": {"Code": "ThrottlingException"}}, "GetProducts")
        if filters.get("productFamily") != "NAT Gateway":
            return {"PriceList": []}
        prefix = "EU-" if filters["regionCode"] == "eu-west-1" else ""
        dimension = {"unit": "Hrs", "beginRange": "0", "pricePerUnit": {"USD": self.price}}
        product = {
            "product": {"attributes": {"usagetype": f"{prefix}NatGateway-Hours"}},
            "terms": {"OnDemand": {"T": {"priceDimensions": {"D": dimension}}}},
        }
        return {"PriceList": [json.dumps(product)]}


def test_the_weekly_task_stores_each_region_and_may_die_between_them(
    platform: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATA_BUCKET", BUCKET)
    settings_of.cache_clear()
    boto3.client("s3", region_name=REGION).create_bucket(Bucket=BUCKET)

    def run(client: Pricing) -> dict[str, Any]:
        monkeypatch.setattr(tasks, "platform_client", lambda service, region: client)
        return tasks.load_prices({}, None)

    def prices() -> list[Decimal | None]:
        book = wiring.prices()
        return [
            book.price("vpc/nat-gateway", region, "hour").unit_price for region in book.regions()
        ]

    before = prices()
    with pytest.raises(ClientError):
        run(Pricing("0.06", failing="us-east-1"))
    assert prices() == [Decimal("0.06"), before[1]], "the other region is as it was"
    assert run(Pricing("0.07")) == {"stored": {"eu-west-1": 1, "us-east-1": 1}}
    assert run(Pricing("0.07")) == {"stored": {"eu-west-1": 1, "us-east-1": 1}}
    assert prices() == [Decimal("0.07"), Decimal("0.07")]
    assert wiring.prices().price("elb/network", REGION, "hour").source.startswith("https://")
    assert run(Pricing("0")) == {"stored": {"eu-west-1": 0, "us-east-1": 0}}
    assert prices() == [Decimal("0.07"), Decimal("0.07")], "an empty answer takes nothing away"
