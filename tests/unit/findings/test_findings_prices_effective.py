"""What an account pays of list prices: from rated lines of its bills to a finding's prices."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tidegate.findings import answers
from tidegate.findings.checks.money import HYGIENE, quantity, saving
from tidegate.findings.domain import PriceUsed, Saving
from tidegate.findings.plans.service import price_of
from tidegate.findings.prices.book import PriceBook, baseline
from tidegate.findings.prices.effective import ENOUGH_DAYS, family_of, ratios
from tidegate.findings.repository.bodies import saving_body, saving_of
from tidegate.findings.service.evaluation import Found, Outcome, evaluate
from tidegate.pipelines.public import CostLine, RatedCost, RatedLine

from tests.builders.findings import NOW, MemoryInventory, covered, rules
from tests.builders.findings_cases import CASES
from tests.builders.settings import REGION

FIRST = date(2026, 3, 1)
EBS, EC2 = CostLine("AmazonEC2", "EBS:VolumeUsage.gp2"), CostLine("AmazonEC2", "BoxUsage:m5.large")


def rated(
    line: CostLine, listed: str, paid: str, days: int = ENOUGH_DAYS, first: int = 0
) -> Iterator[RatedLine]:
    cost = RatedCost(Decimal(listed), Decimal(paid))
    for number in range(first, first + days):
        yield RatedLine(FIRST + timedelta(days=number), line, cost)


def test_a_ratio_is_of_the_sums_by_family() -> None:
    other = CostLine("Amazon Elastic Compute Cloud", "EU-BoxUsage:c5.large")
    costs = [*rated(EC2, "3", "1"), *rated(other, "1", "1"), *rated(EBS, "10", "9")]
    assert ratios(costs) == {"ec2": Decimal("0.5"), "ebs": Decimal("0.9")}
    thirds = ratios(rated(EC2, "3", "1"))
    assert thirds == {"ec2": Decimal("0.333333")}, "6 places"
    assert ratios(rated(EC2, "3", "0")) == {"ec2": Decimal(0)}, "free is known to be 0"


@pytest.mark.parametrize(
    "costs",
    [
        [],
        list(rated(EC2, "3", "1", ENOUGH_DAYS - 1)),
        list(rated(EC2, "0", "1")),
        list(rated(EC2, "-3", "-1")),
        list(rated(EC2, "3", "-1")),
        [*rated(EC2, "3", "1", 1), *rated(EC2, "0", "1", ENOUGH_DAYS, 1)],
        list(rated(CostLine("Amazon Elastic MapReduce", "BoxUsage:m5.large"), "3", "1")),
        list(rated(CostLine("AmazonEC2", "SpotUsage:m5.large"), "3", "1")),
        list(rated(CostLine("AmazonEC2", "DataTransfer-Out-Bytes"), "3", "1")),
    ],
)
def test_what_bills_do_not_tell_is_no_ratio(costs: list[RatedLine]) -> None:
    """Too few days, no list cost, a negative payment, usage that no price is of: never 1."""
    assert ratios(costs) == {}


@pytest.mark.hazard("G33")
@pytest.mark.bite("tidegate.findings.prices.effective._ratio", returns=Decimal(1))
def test_an_effective_price_that_bills_do_not_tell_is_unknown() -> None:
    """G33: too few days of a bill make no effective price, and never the list price."""
    book = baseline().with_ratios(ratios(rated(EBS, "3", "1", ENOUGH_DAYS - 1)))
    price = book.price("ebs/gp2/storage", REGION, "GiB-month")
    assert price.unit_price is not None
    assert price.effective_unit_price is None
    assert saving("1 * price", [], [price]).effective_monthly is None


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.tuples(st.decimals(0, 1000, places=4), st.decimals(0, 1000, places=4)),
        max_size=20,
    )
)
def test_a_ratio_says_no_less_than_the_days_that_count(
    pairs: list[tuple[Decimal, Decimal]],
) -> None:
    costs = [
        RatedLine(FIRST + timedelta(days=n), EC2, RatedCost(*pair)) for n, pair in enumerate(pairs)
    ]
    counted = [(listed, paid) for listed, paid in pairs if listed > 0]
    found = ratios(costs).get("ec2")
    assert (found is None) == (len(counted) < ENOUGH_DAYS)
    if found is not None:
        listed, paid = (sum(side, Decimal(0)) for side in zip(*counted, strict=True))
        assert abs(found * listed - paid) <= Decimal("0.000001") * listed


def test_every_price_of_the_baseline_has_a_family() -> None:
    assert [key for key, _ in baseline().known() if family_of(key) is None] == []


@pytest.mark.parametrize(
    ("key", "service", "usage"),
    [
        ("ec2/m5.large/linux", "Amazon Elastic Compute Cloud", "USE2-BoxUsage:m5.large"),
        ("ebs/gp3/throughput", "AmazonEC2", "EU-EBS:VolumeP-Throughput.gp3"),
        ("ebs/snapshot/archive", "AmazonEC2", "EBS:SnapshotArchiveStorage"),
        ("vpc/public-ipv4", "AmazonVPC", "EU-PublicIPv4:IdleAddress"),
        ("vpc/nat-gateway", "AmazonEC2", "EU-NatGateway-Hours"),
        ("vpc/endpoint/interface", "AmazonVPC", "VpcEndpoint-Hours"),
        ("elb/network", "AWSELB", "EU-LoadBalancerUsage"),
        ("rds/db.m5.large/mysql", "AmazonRDS", "EU-Multi-AZUsage:db.m5.large"),
        ("rds/gp2/storage", "Amazon Relational Database Service", "RDS:GP2-Storage"),
        ("elasticache/cache.m5.large/redis", "AmazonElastiCache", "EU-NodeUsage:cache.m5.large"),
        ("lambda/arm64/duration", "AWSLambda", "EU-Lambda-GB-Second-ARM"),
        ("dynamodb/write-unit", "AmazonDynamoDB", "EU-WriteCapacityUnit-Hrs"),
        ("kinesis/shard", "AmazonKinesis", "EU-Storage-ShardHour"),
        ("s3/StandardStorage", "AmazonS3", "EU-TimedStorage-ByteHrs"),
        ("s3/transition/StandardIAStorage", "AmazonS3", "EU-Requests-SIA-Tier1"),
        ("ecr/storage", "AmazonECR", "EU-TimedStorage-ByteHrs"),
        ("logs/storage", "AmazonCloudWatch", "EU-TimedStorage-ByteHrs"),
    ],
)
def test_a_bills_line_counts_for_its_price(key: str, service: str, usage: str) -> None:
    family = family_of(key)
    assert family is not None
    assert ratios(rated(CostLine(service, usage), "4", "3")) == {family: Decimal("0.75")}


def test_a_book_has_effective_prices_beside_the_list_ones() -> None:
    book = baseline().with_ratios({"ebs": Decimal("0.9")})
    price = book.price("ebs/gp2/storage", REGION, "GiB-month")
    plain = baseline().price("ebs/gp2/storage", REGION, "GiB-month")
    assert plain.unit_price is not None
    assert price.unit_price == plain.unit_price
    assert price.effective_unit_price == plain.unit_price * Decimal("0.9")
    assert plain.effective_unit_price is None, "the shared book is as it was"
    assert book.price("vpc/nat-gateway", REGION, "hour").effective_unit_price is None
    assert book.price("ebs/gp2/storage", REGION, "hour").effective_unit_price is None
    assert book.price("ebs/none/storage", REGION, "GiB-month").effective_unit_price is None
    assert baseline().with_ratios({}) is baseline()


def price(name: str, listed: str | None, paid: str | None) -> PriceUsed:
    known = [None if text is None else Decimal(text) for text in (listed, paid)]
    return PriceUsed(name, known[0], "hour", "s", "d", known[1])


def test_an_effective_amount_needs_every_effective_price() -> None:
    hours = [quantity("hours", 730, "hour")]
    both = saving("hours * (a - b)", hours, [price("a", "0.2", "0.1"), price("b", "0.1", "0.05")])
    assert (both.monthly, both.effective_monthly) == (Decimal("73"), Decimal("36.5"))
    part = saving("hours * (a - b)", hours, [price("a", "0.2", "0.1"), price("b", "0.1", None)])
    assert (part.monthly, part.effective_monthly) == (Decimal("73"), None)
    none = saving("hours * a", hours, [price("a", None, None)])
    assert (none.monthly, none.effective_monthly) == (None, None)
    assert HYGIENE.effective_monthly == 0


def found_with(prices: PriceBook, check_id: str) -> Saving:
    inventory = MemoryInventory([CASES[check_id].found], covered(), NOW)
    told: list[Outcome] = []
    evaluate(inventory, REGION, rules(prices=prices), told.append)
    (one,) = [one for one in told if isinstance(one, Found) and one.check.check_id == check_id]
    return one.hit.saving


def test_a_finding_shows_both_amounts_and_its_plan_is_the_same() -> None:
    """FND-5: list prices alone are hashed, so effective ones never make a plan drift."""
    plain = found_with(baseline(), "ebs-unattached")
    both = found_with(baseline().with_ratios({"ebs": Decimal("0.5")}), "ebs-unattached")
    assert plain.monthly is not None
    assert both.monthly == plain.monthly
    assert both.effective_monthly == plain.monthly / 2
    assert price_of(both) == price_of(plain)
    shown = answers.saving(both)
    assert shown.effective_monthly == answers.money(plain.monthly / 2)
    assert {one.effective_unit_price is not None for one in shown.prices} == {True}
    hidden = answers.saving(plain)
    assert hidden.effective_monthly is None
    assert {one.effective_unit_price for one in hidden.prices} == {None}


def test_spot_says_nothing_of_discounted_prices() -> None:
    spot = found_with(baseline().with_ratios({"ec2": Decimal("0.5")}), "spot-candidate")
    assert spot.monthly is not None
    assert spot.effective_monthly is None


def test_a_saving_is_stored_with_both_and_read_from_earlier_rows() -> None:
    both = found_with(baseline().with_ratios({"ebs": Decimal("0.5")}), "ebs-unattached")
    assert saving_of(saving_body(both)) == both
    body = saving_body(both)
    body["prices"] = [row[:5] for row in body["prices"]]
    del body["effective_monthly"]
    old = saving_of(body)
    assert (old.monthly, old.effective_monthly) == (both.monthly, None)
    assert {one.effective_unit_price for one in old.prices} == {None}
