"""Anomalies (LAB-3): found, explained, and told apart from gaps and patterns."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import date, timedelta
from statistics import fmean, pstdev

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tidegate.lab.anomalies import find_anomalies, robust_scores
from tidegate.lab.domain import Point

from tests.builders.lab import START, WEEK


def points_of(values: Sequence[float | None]) -> list[Point]:
    return [
        Point(START + timedelta(days=day), value)
        for day, value in enumerate(values)
        if value is not None
    ]


def injected(seed: int, days: int = 180) -> tuple[list[Point], set[date]]:
    """A weekly pattern with a slope; six days are 35 to 70 off."""
    rng = random.Random(seed)
    slope, height = 0.3 * (seed % 3), 10 * (1 + seed % 2)
    values = [200 + slope * d + height * WEEK[d % 7] + rng.gauss(0, 5) for d in range(days)]
    chosen = rng.sample(range(days), 6)
    for day in chosen:
        values[day] += rng.choice((-1, 1)) * rng.uniform(35, 70)
    return points_of(values), {START + timedelta(days=day) for day in chosen}


def plain_z_score(points: Sequence[Point], threshold: float) -> set[date]:
    """What a dashboard does: distance from the mean in standard deviations."""
    values = [point.value for point in points]
    mean, spread = fmean(values), pstdev(values)
    return {point.date for point in points if abs(point.value - mean) > threshold * spread}


def rates(pairs: Sequence[tuple[set[date], set[date]]]) -> tuple[float, float]:
    """(precision, recall) of (found, true) pairs."""
    hits = sum(len(found & true) for found, true in pairs)
    found, true = (sum(len(pair[i]) for pair in pairs) for i in (0, 1))
    return hits / max(found, 1), hits / true


def f_score(rate: tuple[float, float]) -> float:
    """The harmonic mean of precision and recall."""
    precision, recall = rate
    return 2 * precision * recall / (precision + recall)


def test_injected_anomalies_are_found_where_a_z_score_is_lost(
    capsys: pytest.CaptureFixture[str],
) -> None:
    series = [injected(seed) for seed in range(30)]
    ours = rates([({a.date for a in find_anomalies(p, 3.5, 7)}, true) for p, true in series])
    plain = {z: rates([(plain_z_score(p, z), true) for p, true in series]) for z in (2, 3)}
    with capsys.disabled():
        print(f"\nanomalies, 30 series with 6 each: precision {ours[0]:.2f}, recall {ours[1]:.2f}")
        for z, (precision, recall) in plain.items():
            print(f"plain z-score {z}: precision {precision:.2f}, recall {recall:.2f}")
    assert min(ours) >= 0.9, ours
    assert all(f_score(ours) > 2 * f_score(rate) for rate in plain.values()), (ours, plain)


@given(
    st.lists(st.floats(-1e9, 1e9, width=32), min_size=3, max_size=60),
    st.integers(1, 10),
    st.floats(0.1, 5),
)
@settings(max_examples=50, deadline=None)
def test_parts_add_up(values: list[float], season: int, threshold: float) -> None:
    for found in find_anomalies(points_of(values), threshold, season):
        difference = found.value - found.expected
        size = max(abs(found.value), abs(found.expected), 1.0)
        assert sum(part.delta for part in found.parts) == pytest.approx(difference, abs=1e-9 * size)
        assert found.score > threshold
        assert (found.direction == "up") == (difference > 0)


def test_a_gap_is_not_a_zero() -> None:
    rng = random.Random(4)
    values: list[float | None] = [100 + 5 * WEEK[d % 7] + rng.gauss(0, 1) for d in range(120)]
    values[40:47] = [None] * 7
    values[90] = None
    assert find_anomalies(points_of(values), 5, 7) == []
    zeroed = points_of([0.0 if value is None else value for value in values])
    assert len(find_anomalies(zeroed, 5, 7)) == 8


def test_the_score_by_hand_and_without_spread() -> None:
    assert robust_scores([1, 2, 3, 4, 100])[4] == pytest.approx(97 / 1.4826)
    assert robust_scores([0, 0, 0, 0, 5, 10])[4:] == pytest.approx([1 / 1.4826, 2 / 1.4826])
    assert robust_scores([7, 7, 7]) == [0, 0, 0]


def test_a_single_day_in_a_constant_series_stands_out() -> None:
    values = [10.0] * 60
    values[30] = 11.0
    rng = random.Random(1)
    assert [a.date for a in find_anomalies(points_of(values), 0.5, 7)] == [
        START + timedelta(days=30)
    ]
    noisy = [value + rng.gauss(0, 0.01) for value in values]
    (found,) = find_anomalies(points_of(noisy), 10, 7)
    assert found.direction == "up"
    assert {part.name for part in found.parts} == {"level_shift", "spike"}


def test_a_shift_that_lasts_is_told_from_a_spike() -> None:
    rng = random.Random(2)
    values = [50 + rng.gauss(0, 1) for _ in range(100)]
    for day in range(50, 57):
        values[day] += 30
    values[80] += 30
    parts = {
        a.date: {p.name: p.delta for p in a.parts} for a in find_anomalies(points_of(values), 8, 7)
    }
    middle, spike = START + timedelta(days=53), START + timedelta(days=80)
    assert parts[middle]["level_shift"] > 25
    assert parts[spike]["spike"] > 25
    assert len(parts) == 8
