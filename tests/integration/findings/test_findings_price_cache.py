"""Loaded prices in the data bucket, and the book that is made of them."""

from __future__ import annotations

from decimal import Decimal

import boto3
import pytest
from tidegate.findings import wiring
from tidegate.findings.prices.book import Figure, baseline
from tidegate_kit.settings import Settings

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
