"""The loader, on products as the Price List API gives them: attributes, units, tiers, neighbours.

Usage types, units and prices are those of recorded answers (docs/prices.md); SKUs are shortened.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest
from tidegate.findings.prices.book import Figure, PriceBook, baseline
from tidegate.findings.prices.loader import load
from tidegate.findings.prices.wanted import PREFIXES, wanted

Tier = tuple[str, str, str]  # begin, unit, price


def product(
    usage: str,
    *tiers: Tier,
    currency: str = "USD",
    location: str = "AWS Region",
    terms: str = "OnDemand",
) -> str:
    """One product as GetProducts gives it: a JSON text, prices as text."""
    dimensions = {
        f"SKU.JRTCKXETXF.{n}": {
            "unit": unit, "beginRange": begin, "endRange": "Inf", "description": "x",
            "appliesTo": [], "rateCode": f"SKU.JRTCKXETXF.{n}", "pricePerUnit": {currency: price},
        }
        for n, (begin, unit, price) in enumerate(tiers)
    }  # fmt: skip
    attributes = {"usagetype": usage, "locationType": location}
    term = {
        "SKU.JRTCKXETXF": {
            "offerTermCode": "JRTCKXETXF", "sku": "SKU", "effectiveDate": "2026-10-01T00:00:00Z",
            "priceDimensions": dimensions, "termAttributes": {},
        }
    }  # fmt: skip
    return json.dumps({"product": {"sku": "SKU", "attributes": attributes}, "terms": {terms: term}})


class Pricing:
    """boto3's pricing client: every question has the same answer, in pages."""

    def __init__(self, *pages: Sequence[str]) -> None:
        self.pages = pages
        self.asked: list[dict[str, Any]] = []

    def get_products(self, **request: Any) -> dict[str, Any]:
        self.asked.append(dict(request))
        number = int(request.get("NextToken", "0"))
        answer: dict[str, Any] = {"PriceList": self.pages[number]}
        if number + 1 < len(self.pages):
            answer["NextToken"] = str(number + 1)
        return answer


def book(*keys: str, region: str = "us-east-1") -> PriceBook:
    units = dict(baseline().known())
    return PriceBook("b", ([Figure(k, region, units[k], Decimal(9), "s", "d") for k in keys],))


def loaded(key: str, *products: str, region: str = "us-east-1") -> Decimal | None:
    found = load(Pricing(products), book(key, region=region), region, "2026-11-22")
    assert {(one.key, one.region, one.unit) for one in found} <= {
        (key, region, dict(baseline().known())[key])
    }
    return found[0].unit_price if found else None


def once(usage: str, unit: str, price: str) -> str:
    return product(usage, ("0", unit, price))


@pytest.mark.parametrize(
    ("key", "region", "usage", "unit", "price"),
    [
        ("ec2/m5.large/linux", "us-east-1", "BoxUsage:m5.large", "Hrs", "0.0960000000"),
        ("ec2/m5.large/linux", "eu-west-1", "EU-BoxUsage:m5.large", "Hrs", "0.1070000000"),
        ("ec2/m1.small/linux", "us-east-1", "BoxUsage", "Hrs", "0.0440000000"),
        ("ebs/gp3/storage", "us-east-1", "EBS:VolumeUsage.gp3", "GB-Mo", "0.0800000000"),
        ("ebs/gp2/storage", "eu-west-1", "EU-EBS:VolumeUsage.gp2", "GB-Mo", "0.1100000000"),
        ("ebs/io1/storage", "us-east-1", "EBS:VolumeUsage.piops", "GB-Mo", "0.1250000000"),
        ("ebs/io2/storage", "us-east-1", "EBS:VolumeUsage.io2", "GB-month", "0.1250000000"),
        ("ebs/standard/storage", "us-east-1", "EBS:VolumeUsage", "GB-Mo", "0.0500000000"),
        ("ebs/gp3/iops", "eu-west-1", "EU-EBS:VolumeP-IOPS.gp3", "IOPS-Mo", "0.0055000000"),
        ("ebs/io1/iops", "eu-west-1", "EU-EBS:VolumeP-IOPS.piops", "IOPS-Mo", "0.0720000000"),
        ("ebs/io2/iops", "us-east-1", "EBS:VolumeP-IOPS.io2", "IOPS-Mo", "0.065"),
        ("ebs/io2/iops/tier2", "us-east-1", "EBS:VolumeP-IOPS.io2.tier2", "IOPS-Mo", "0.0455"),
        ("ebs/io2/iops/tier3", "us-east-1", "EBS:VolumeP-IOPS.io2.tier3", "IOPS-Mo", "0.03185"),
        ("ebs/snapshot/standard", "eu-west-1", "EU-EBS:SnapshotUsage", "GB-Mo", "0.0500000000"),
        (
            "ebs/snapshot/archive", "eu-west-1", "EU-EBS:SnapshotArchiveStorage", "GB-Mo",
            "0.0125000000",
        ),
        ("vpc/public-ipv4", "us-east-1", "USE1-PublicIPv4:IdleAddress", "Hrs", "0.0050000000"),
        ("vpc/nat-gateway", "eu-west-1", "EU-NatGateway-Hours", "Hrs", "0.0480000000"),
        ("vpc/endpoint/interface", "us-east-1", "USE1-VpcEndpoint-Hours", "Hrs", "0.01"),
        (
            "vpc/endpoint/gateway-load-balancer", "us-east-1", "USE1-VpcEndpoint-GWLBE-Hours",
            "Hrs", "0.01",
        ),
        ("elb/application", "eu-west-1", "EU-LoadBalancerUsage", "Hrs", "0.0252000000"),
        ("rds/db.m5.large/mysql", "us-east-1", "InstanceUsage:db.m5.large", "Hrs", "0.171"),
        ("rds/db.m5.xlarge/mysql", "us-east-1", "InstanceUsage:db.m5.xl", "Hrs", "0.342"),
        ("rds/gp2/storage", "eu-west-1", "EU-RDS:GP2-Storage", "GB-Mo", "0.127"),
        ("rds/gp3/storage", "us-east-1", "RDS:GP3-Storage", "GB-Mo", "0.115"),
        ("rds/gp3/iops", "us-east-1", "RDS:GP3-PIOPS", "IOPS-Mo", "0.02"),
        ("rds/snapshot", "us-east-1", "RDS:ChargedBackupUsage", "GB-Mo", "0.095"),
        (
            "elasticache/cache.m5.large/redis", "us-east-1", "NodeUsage:cache.m5.large", "Hrs",
            "0.156",
        ),
        ("kinesis/shard", "us-east-1", "Storage-ShardHour", "ShardHour", "0.015"),
        ("s3/DeepArchiveStorage", "us-east-1", "TimedStorage-GDA-ByteHrs", "GB-Mo", "0.00099"),
        ("s3/GlacierStorage", "eu-west-1", "EU-TimedStorage-GlacierByteHrs", "GB-Mo", "0.0036"),
        ("ecr/storage", "eu-west-1", "EU-TimedStorage-ByteHrs", "GB-Mo", "0.1000000000"),
        ("logs/storage", "eu-west-1", "EU-TimedStorage-ByteHrs", "GB-Mo", "0.03"),
    ],
)  # fmt: skip
def test_every_family_is_found_as_the_api_writes_it(
    key: str, region: str, usage: str, unit: str, price: str
) -> None:
    found = loaded(key, once(usage, unit, price), region=region)
    assert found == Decimal(price)
    figure = baseline().figure(key, region)
    assert figure is not None
    assert figure.unit_price == found, "and the baseline says the same"


def test_throughput_is_sold_by_the_gibps_and_used_by_the_mibps() -> None:
    usage = "EU-EBS:VolumeP-Throughput.gp3"
    found = loaded("ebs/gp3/throughput", once(usage, "GiBps-mo", "45.056"), region="eu-west-1")
    assert found == Decimal("0.044")
    found = loaded("ebs/gp3/throughput", once(usage, "MiBps-Mo", "0.044"), region="eu-west-1")
    assert found == Decimal("0.044")


@pytest.mark.parametrize(
    ("key", "usage", "tiers", "price"),
    [
        (
            "s3/StandardStorage", "TimedStorage-ByteHrs",
            [("51200", "GB-Mo", "0.022"), ("512000", "GB-Mo", "0.021"), ("0", "GB-Mo", "0.023")],
            "0.023",
        ),
        (
            "lambda/x86_64/duration", "Lambda-GB-Second",
            [
                ("15000000000", "Lambda-GB-Second", "0.0000133334"),
                ("6000000000", "Lambda-GB-Second", "0.0000150000"),
                ("0", "Lambda-GB-Second", "0.0000166667"),
            ],
            "0.0000166667",
        ),
        (
            "lambda/arm64/duration", "Lambda-GB-Second-ARM",
            [
                ("0", "Lambda-GB-Second", "0.0000133334"),
                ("7500000000", "Lambda-GB-Second", "0.0000120001"),
            ],
            "0.0000133334",
        ),
        (
            "dynamodb/read-unit", "ReadCapacityUnit-Hrs",
            [
                ("18600", "ReadCapacityUnit-Hrs", "0.0001300000"),
                ("0", "ReadCapacityUnit-Hrs", "0.0000000000"),
            ],
            "0.00013",
        ),
    ],
)  # fmt: skip
def test_of_tiers_it_is_the_first_that_is_charged(
    key: str, usage: str, tiers: list[Tier], price: str
) -> None:
    """In any order; a free allowance at the beginning is an account's, not a price."""
    assert loaded(key, product(usage, *tiers)) == Decimal(price)
    assert loaded(key, product(usage, *reversed(tiers))) == Decimal(price)


@pytest.mark.parametrize(
    ("key", "right", "neighbours"),
    [
        (
            "vpc/nat-gateway", once("NatGateway-Hours", "Hrs", "0.045"),
            [
                once("NatGateway-Bytes", "GB", "0.045"),
                once("RegionalNatGateway-Hours", "Hrs", "0.05"),
                once("NatGateway-Prvd-Hours", "Hrs", "0.06"),
            ],
        ),
        (
            "elb/application", once("LoadBalancerUsage", "Hrs", "0.0225"),
            [
                once("LCUUsage", "LCU-Hrs", "0.008"),
                once("TS-LoadBalancerUsage", "Hrs", "0.00675"),
                once("Outposts-LoadBalancerUsage", "Hrs", "0.0227"),
            ],
        ),
        (
            "elasticache/cache.m5.large/redis", once("NodeUsage:cache.m5.large", "Hrs", "0.156"),
            [
                once("USE1-ExtendedSupportYr3-NodeUsage:cache.m5.large", "Hrs", "0.25"),
                once("USE1-ExtendedSupportYr1_Yr2-NodeUsage:cache.m5.large", "Hrs", "0.125"),
            ],
        ),
        (
            "s3/DeepArchiveStorage", once("TimedStorage-GDA-ByteHrs", "GB-Mo", "0.00099"),
            [
                once("TimedStorage-GDA-Staging", "GB-Mo", "0.021"),
                once("EarlyDelete-GDA", "GB-Mo", "0.001"),
            ],
        ),
        (
            "ebs/gp3/storage", once("EBS:VolumeUsage.gp3", "GB-Mo", "0.08"),
            [
                once("USE1-BOS1-EBS:VolumeUsage.gp3", "GB-Mo", "0.096"),
                product("EBS:VolumeUsage.gp3", ("0", "GB-Mo", "0.1"), location="AWS Outposts"),
                product("EBS:VolumeUsage.gp3", ("0", "GB-Mo", "0.05"), terms="Reserved"),
                once("EU-EBS:VolumeUsage.gp3", "GB-Mo", "0.088"),
            ],
        ),
        (
            "rds/db.m5.large/mysql", once("InstanceUsage:db.m5.large", "Hrs", "0.171"),
            [
                once("Multi-AZUsage:db.m5.large", "Hrs", "0.342"),
                once("InstanceUsageIOOptimized:db.m5.large", "Hrs", "0.222"),
            ],
        ),
        (
            "dynamodb/write-unit",
            once("WriteCapacityUnit-Hrs", "WriteCapacityUnit-Hrs", "0.00065"),
            [
                once("IA-WriteCapacityUnit-Hrs", "WriteCapacityUnit-Hrs", "0.00081"),
                once("ReplWriteCapacityUnit-Hrs", "ReplicatedWriteCapacityUnit-Hrs", "0.000975"),
            ],
        ),
    ],
)  # fmt: skip
def test_neighbours_are_not_taken_for_it(key: str, right: str, neighbours: list[str]) -> None:
    figure = baseline().figure(key, "us-east-1")
    assert figure is not None
    assert loaded(key, *neighbours, right) == figure.unit_price
    assert loaded(key, *neighbours) is None, "nor in its absence"


@pytest.mark.parametrize(
    "products",
    [
        [],
        [product("NatGateway-Hours", ("0", "Hrs", "0.3"), currency="CNY")],
        [once("NatGateway-Hours", "Month", "32.85")],
        [once("NatGateway-Hours", "Hrs", "0.0000000000")],
        [once("NatGateway-Hours", "Hrs", "-1"), once("NatGateway-Hours", "Hrs", "NaN")],
        [once("NatGateway-Hours", "Hrs", "0.045"), once("NatGateway-Hours", "Hrs", "0.05")],
        [product("NatGateway-Hours", ("soon", "Hrs", "0.045"))],
        ['{"product": {}, "terms": {}}', "{}"],
    ],
)
def test_what_the_api_does_not_tell_plainly_is_left_out(products: list[str]) -> None:
    """Nothing, another currency or unit, free, not a price, two prices, an unreadable tier."""
    assert loaded("vpc/nat-gateway", *products) is None


@pytest.mark.hazard("G33")
@pytest.mark.bite("tidegate.findings.prices.wanted.Wanted.names", returns=True)
def test_a_loaded_price_is_of_the_thing_itself_in_its_unit() -> None:
    """G33: an hour of something else, or a month of it, is not its price: it stays unknown."""
    key = "vpc/nat-gateway"
    assert loaded(key, once("RegionalNatGateway-Hours", "Hrs", "0.09")) is None
    assert loaded(key, once("NatGateway-Hours", "Month", "32.85")) is None


def test_the_same_price_twice_is_one_price() -> None:
    engines = [once("RDS:ChargedBackupUsage", "GB-Mo", text) for text in ("0.095", "0.0950000000")]
    assert loaded("rds/snapshot", *engines) == Decimal("0.095")


def test_pages_are_read_to_the_end_and_a_question_is_asked_once() -> None:
    first = [once("EBS:VolumeUsage.gp2", "GB-Mo", "0.1")]
    second = [once("EBS:VolumeUsage.gp3", "GB-Mo", "0.08")]
    client = Pricing(first, second)
    found = load(client, book("ebs/gp2/storage", "ebs/gp3/storage"), "us-east-1", "2026-11-22")
    assert {one.key for one in found} == {"ebs/gp2/storage", "ebs/gp3/storage"}
    assert {(one.source, one.date) for one in found} == {("AWS Price List API", "2026-11-22")}
    assert len(client.asked) == 2, "two pages of one question"
    filters = {one["Field"]: one["Value"] for one in client.asked[0]["Filters"]}
    assert filters == {"productFamily": "Storage", "regionCode": "us-east-1"}


def test_all_keys_of_the_baseline_but_transitions_can_be_asked_for() -> None:
    unknown = [key for key, unit in baseline().known() if wanted(key, unit) is None]
    assert unknown == ["s3/transition/StandardIAStorage"]
    assert set(baseline().regions()) <= PREFIXES.keys()


@pytest.mark.parametrize(
    "key",
    [
        "ec2/m5.large/windows", "ebs/gp3", "vpc/peering", "elb/none", "rds/db.m5.large/oracle",
        "elasticache/cache.m5.large/valkey", "lambda/riscv/duration", "dynamodb/storage",
        "kinesis/put", "s3/none", "ecr/none", "logs/ingested", "sqs/requests",
    ],
)  # fmt: skip
def test_another_key_is_not_asked_for(key: str) -> None:
    assert wanted(key, "hour") is None


def test_a_region_without_known_usage_types_loads_nothing() -> None:
    found = load(
        Pricing([once("NatGateway-Hours", "Hrs", "0.045")]),
        book("vpc/nat-gateway", region="xx-new-1"),
        "xx-new-1",
        "2026-11-22",
    )
    assert found == []
