"""The price book: its figures, tiers, layers, and spot."""

from __future__ import annotations

from decimal import Decimal

import pytest
from tidegate.findings.checks.ebs import volume_parts
from tidegate.findings.checks.money import saving
from tidegate.findings.prices.book import Figure, baseline, figures_of
from tidegate.findings.prices.spot import spot

from tests.builders.findings import recomputed


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
