"""The price book and its loader, on answers of the Price List API's shape."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from tidegate.findings.checks.ebs import volume_parts
from tidegate.findings.checks.money import saving
from tidegate.findings.prices import loader
from tidegate.findings.prices.book import Figure, PriceBook, baseline, figures_of
from tidegate.findings.prices.spot import spot

from tests.builders.findings import recomputed


def product(*prices: tuple[str, str]) -> str:
    """One product as GetProducts gives it: a JSON text, prices as text."""
    dimensions = {
        f"SKU.JRTCKXETXF.{n}": {
            "unit": unit, "beginRange": "0", "endRange": "Inf", "description": "x",
            "appliesTo": [], "rateCode": f"SKU.JRTCKXETXF.{n}", "pricePerUnit": {"USD": usd},
        }
        for n, (unit, usd) in enumerate(prices)
    }  # fmt: skip
    term = {"SKU.JRTCKXETXF": {"priceDimensions": dimensions, "termAttributes": {}}}
    return json.dumps({"product": {"sku": "SKU", "attributes": {}}, "terms": {"OnDemand": term}})


class Pricing:
    """boto3's pricing client with scripted answers by what is asked for."""

    def __init__(self, answers: dict[str, list[list[str]]]) -> None:
        self.answers = answers
        self.asked: list[dict[str, Any]] = []

    def get_products(self, **request: Any) -> dict[str, Any]:
        self.asked.append(request)
        fields = {one["Field"]: one["Value"] for one in request["Filters"]}
        name = fields.get("instanceType") or f"{fields['volumeApiName']}/{fields['productFamily']}"
        pages = self.answers.get(name, [[]])
        number = int(request.get("NextToken", "0"))
        answer: dict[str, Any] = {"PriceList": pages[number]}
        if number + 1 < len(pages):
            answer["NextToken"] = str(number + 1)
        return answer


def book(*keys: tuple[str, str]) -> PriceBook:
    return PriceBook("b", ([Figure(k, "us-east-1", u, Decimal(9), "s", "d") for k, u in keys],))


def test_figures_are_taken_where_there_is_one_price_in_the_right_unit() -> None:
    client = Pricing(
        {
            "m5.large": [[product(("Hrs", "0.0000000000"))], [product(("Hrs", "0.0960000000"))]],
            "c5.large": [[product(("Hrs", "0.085")), product(("Hrs", "0.09"))]],
            "gp3/Storage": [[product(("GB-Mo", "0.0800000000"))]],
            "gp2/Storage": [[product(("Hrs", "0.1"))]],
            "gp3/System Operation": [[product(("IOPS-Mo", "0.005"))]],
        }
    )
    found = loader.load(
        client,
        book(
            ("ec2/m5.large/linux", "hour"),
            ("ec2/c5.large/linux", "hour"),
            ("ebs/gp3/storage", "GiB-month"),
            ("ebs/gp2/storage", "GiB-month"),
            ("ebs/gp3/iops", "IOPS-month"),
            ("vpc/nat-gateway", "hour"),
        ),
        "us-east-1",
        "2026-01-02",
    )
    assert {(f.key, f.unit_price, f.unit) for f in found} == {
        ("ec2/m5.large/linux", Decimal("0.096"), "hour"),
        ("ebs/gp3/storage", Decimal("0.08"), "GiB-month"),
        ("ebs/gp3/iops", Decimal("0.005"), "IOPS-month"),
    }
    assert {(f.source, f.date, f.region) for f in found} == {
        ("AWS Price List API", "2026-01-02", "us-east-1")
    }
    filters = [{o["Field"]: o["Value"] for o in asked["Filters"]} for asked in client.asked]
    assert all(one["regionCode"] == "us-east-1" for one in filters)
    assert next(one for one in filters if "instanceType" in one)["operatingSystem"] == "Linux"


def test_a_newer_layer_replaces_what_it_has_and_keeps_the_rest() -> None:
    new = Figure("ebs/gp3/storage", "us-east-1", "GiB-month", Decimal("0.07"), "api", "2026-01-02")
    over = baseline().with_layer("2026-01-02", [new])
    assert over.price("ebs/gp3/storage", "us-east-1", "GiB-month").unit_price == Decimal("0.07")
    assert over.price("ebs/gp2/storage", "us-east-1", "GiB-month").unit_price == Decimal("0.10")


def test_every_figure_of_the_baseline_has_its_source_and_date() -> None:
    assert baseline().regions() == ["eu-west-1", "us-east-1"]
    for key, unit in baseline().known():
        figure = baseline().figure(key, "us-east-1") or baseline().figure(key, "eu-west-1")
        assert figure is not None
        assert figure.source.startswith("https://aws.amazon.com/")
        assert figure.date
        assert figure.unit == unit


def test_sizes_of_an_instance_family_cost_what_their_size_says() -> None:
    """A typing error in a figure would stand out; AWS rounds old families, by under 2 %."""
    sizes = {"large": 1, "xlarge": 2, "2xlarge": 4, "4xlarge": 8, "8xlarge": 16, "16xlarge": 32}
    compared = 0
    for key, unit in baseline().known():
        kind = key.removeprefix("ec2/").removesuffix("/linux")
        family, _, size = kind.partition(".")
        for region in baseline().regions():
            figure = baseline().figure(key, region)
            large = baseline().figure(f"ec2/{family}.large/linux", region)
            if size not in sizes or figure is None or large is None:
                continue
            assert unit == "hour"
            assert figure.unit_price / sizes[size] == pytest.approx(
                large.unit_price, rel=Decimal("0.02")
            ), (key, region)
            compared += 1
    assert compared > 100


@pytest.mark.parametrize(
    ("kind", "iops", "tiers"),
    [
        ("io2", 32_000, {"extra_iops": 32_000}),
        ("io2", 64_000, {"extra_iops": 32_000, "extra_iops_tier2": 32_000}),
        (
            "io2", 100_000,
            {"extra_iops": 32_000, "extra_iops_tier2": 32_000, "extra_iops_tier3": 36_000},
        ),
        ("io1", 64_000, {"extra_iops": 64_000}),
        ("gp3", 3_000, {}),
        ("gp3", 16_000, {"extra_iops": 13_000}),
    ],
)  # fmt: skip
def test_iops_of_a_volume_are_priced_by_its_tiers(
    kind: str, iops: int, tiers: dict[str, int]
) -> None:
    attributes = {"volume_type": kind, "size_gib": 500, "iops": iops}
    formula, quantities, used = volume_parts(attributes, "us-east-1", baseline())
    found = {one.name: int(one.value) for one in quantities if one.name != "size"}
    assert found == tiers
    made = saving(formula, quantities, used)
    expected = recomputed(made)
    assert made.monthly is not None
    assert expected is not None
    assert made.monthly == Decimal(expected.numerator) / expected.denominator
    cheaper = [one.unit_price for one in used[1:]]
    assert cheaper == sorted(cheaper, key=lambda price: -(price or 0)), "a higher tier is cheaper"


def test_an_unknown_tier_leaves_a_volume_unpriced() -> None:
    attributes = {"volume_type": "io2", "size_gib": 500, "iops": 33_000}
    parts = volume_parts(attributes, "eu-west-1", baseline())
    assert saving(*parts).monthly is None
    assert saving(*volume_parts({**attributes, "iops": 32_000}, "eu-west-1", baseline())).monthly


@pytest.mark.parametrize("price", ["0", "-1", "NaN", "Infinity"])
def test_a_figure_that_is_no_price_is_refused(price: str) -> None:
    entry = {"key": "k", "unit": "hour", "source": "s", "date": "d", "prices": {"r": price}}
    with pytest.raises(ValueError, match="k in r"):
        figures_of({"figures": [entry]})


def test_spot_savings_have_their_band() -> None:
    found = spot("m6i.2xlarge", "us-east-1")
    assert found is not None
    assert (found.percent, found.band_label) == (Decimal(58), ">20%")
    assert spot("none.large", "us-east-1") is None
    assert spot("m6i.2xlarge", "nowhere-1") is None
