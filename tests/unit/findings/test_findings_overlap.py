"""Savings that exclude each other: no dollar is promised twice (ADR 0027)."""

from __future__ import annotations

import random
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tidegate.findings.overlap import Claim, clusters, kept, promised_twice, things_of

ARN = "arn:aws:ec2:us-east-1:222222222222:"
VOLUME, INSTANCE = f"{ARN}volume/vol-1", f"{ARN}instance/i-1"
BUCKET = "arn:aws:s3:::bucket"
DATABASE = "arn:aws:rds:us-east-1:222222222222:db:one"


def claim(check_id: str, monthly: str, type_: str, arn: str, **evidence: Any) -> Claim:
    things = things_of(check_id, type_, arn, evidence)
    return Claim(f"{check_id}/{arn}", check_id, Decimal(monthly), things)


CASES: Mapping[str, tuple[list[Claim], str]] = {
    "an instance's compute": (
        [
            claim("ec2-idle", "70", "ec2:instance", INSTANCE),
            claim("ec2-off-hours", "40", "ec2:instance", INSTANCE),
            claim("ec2-old-generation", "7", "ec2:instance", INSTANCE),
            claim("spot-candidate", "45", "ec2:instance", INSTANCE),
        ],
        "70",
    ),
    "a volume that is nobody's and of an old type": (
        [
            claim("ebs-unattached", "10", "ec2:volume", VOLUME),
            claim("ebs-gp2-to-gp3", "2", "ec2:volume", VOLUME),
        ],
        "10",
    ),
    "a stopped instance and its volumes": (
        [
            claim("ec2-stopped", "18", "ec2:instance", INSTANCE, volume_ids=["vol-1", "vol-2"]),
            claim("ebs-gp2-to-gp3", "2", "ec2:volume", VOLUME),
            claim("ebs-gp2-to-gp3", "1", "ec2:volume", f"{ARN}volume/vol-2"),
            claim("ebs-gp2-to-gp3", "3", "ec2:volume", f"{ARN}volume/vol-3"),
        ],
        "21",
    ),
    "an image and its snapshots": (
        [
            claim("ami-unused", "5", "ec2:image", f"{ARN}image/ami-1", snapshot_ids=["snap-1"]),
            claim("snapshot-old", "3", "ec2:snapshot", "arn:aws:ec2:us-east-1::snapshot/snap-1"),
            claim("snapshot-orphaned", "4", "ec2:snapshot", f"{ARN}snapshot/snap-1"),
        ],
        "5",
    ),
    "two parts of a bucket": (
        [
            claim("s3-mpu-incomplete", "3", "s3:bucket", BUCKET),
            claim("s3-noncurrent-versions", "4", "s3:bucket", BUCKET),
        ],
        "7",
    ),
    "a bucket and its parts": (
        [
            claim("s3-abandoned", "9", "s3:bucket", BUCKET),
            claim("s3-no-lifecycle", "5", "s3:bucket", BUCKET),
            claim("s3-mpu-incomplete", "3", "s3:bucket", BUCKET),
        ],
        "9",
    ),
    "a database's hours and its storage": (
        [
            claim("rds-idle", "50", "rds:db-instance", DATABASE),
            claim("rds-gp2", "4", "rds:db-instance", DATABASE),
        ],
        "54",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_best_of_what_excludes_each_other_counts(case: str) -> None:
    claims, expected = CASES[case]
    assert sum(one.monthly for one in kept(claims)) == Decimal(expected)
    assert promised_twice(claims) == sum(one.monthly for one in claims) - Decimal(expected)


def test_what_excludes_nothing_is_in_no_cluster() -> None:
    alone = claim("eip-idle", "3", "ec2:address", f"{ARN}elastic-ip/eipalloc-1")
    linked, _ = CASES["an image and its snapshots"]
    assert clusters([alone, *linked]) == [tuple(sorted(linked, key=lambda one: one.finding_id))]


NAMES = ["a", "b", "c", "d", "e"]
COSTS = {name: Decimal(100) for name in NAMES}


@st.composite
def worlds(draw: st.DrawFn) -> list[Claim]:
    """Findings on five resources; none promises more than what it claims costs."""
    found = []
    for number in range(draw(st.integers(0, 9))):
        things = draw(st.frozensets(st.sampled_from(NAMES), min_size=1, max_size=3))
        most = int(sum(COSTS[thing] for thing in things))
        monthly = Decimal(draw(st.integers(1, most)))
        found.append(Claim(f"f{number}", "check", monthly, things))
    return found


@settings(max_examples=50, deadline=None)
@given(worlds(), st.randoms(use_true_random=False))
def test_a_total_never_passes_the_sum_or_what_the_resources_cost(
    claims: list[Claim], chance: random.Random
) -> None:
    total = sum((one.monthly for one in kept(claims)), Decimal(0))
    greatest = max((one.monthly for one in claims), default=Decimal(0))
    assert greatest <= total <= sum((one.monthly for one in claims), Decimal(0))
    touched: frozenset[str] = frozenset().union(*(one.things for one in claims))
    assert total <= sum((COSTS[thing] for thing in touched), Decimal(0))
    by_cluster = sum((promised_twice(cluster) for cluster in clusters(claims)), Decimal(0))
    assert by_cluster == promised_twice(claims), "a cluster is judged by itself"
    mixed = list(claims)
    chance.shuffle(mixed)
    assert kept(mixed) == kept(claims)
    assert clusters(mixed) == clusters(claims)
