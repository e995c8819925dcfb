"""Anomalies of a daily series (LAB-3); plain arithmetic, so any function can look for them.

A day's expected value is trend + effect of its day in the season, both by medians, so that the
anomalies themselves hardly move it: a straight line by the median of long differences (Theil,
Sen), a running median over three seasons, the median of each day of the season. The residual
r = value - expected has the score |r - median(r)| / (1.4826 MAD(r)) (Iglewicz, Hoaglin: How to
Detect and Handle Outliers, 1993). Days without a value are left out, never read as zero.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from statistics import median
from typing import Literal

from tidegate.lab.domain import Point

MIN_POINTS = 3
_TREND_SEASONS = 3  # of whole seasons, so that each day of the season counts alike in its median
_LEVEL_DAYS = 5  # neighbours that tell a lasting shift from a single day


@dataclass(frozen=True)
class Part:
    """A named share of an anomaly's difference."""

    name: Literal["level_shift", "spike"]
    delta: float


@dataclass(frozen=True)
class Anomaly:
    """A day that is far from what was expected; the parts add up to value - expected."""

    date: date
    value: float
    expected: float
    score: float
    direction: Literal["up", "down"]
    parts: tuple[Part, ...]


def find_anomalies(points: Sequence[Point], threshold: float, season: int) -> list[Anomaly]:
    """Days whose score is above the threshold, in order of dates.

    `points` rise in date. Raises ValueError for fewer than three.
    """
    if len(points) < MIN_POINTS:
        raise ValueError("too few points")
    expected = expected_values(points, season)
    residuals = [point.value - value for point, value in zip(points, expected, strict=True)]
    scores = robust_scores(residuals)
    return [
        _anomaly(points, expected, residuals, scores, index)
        for index, score in enumerate(scores)
        if score > threshold
    ]


def robust_scores(residuals: Sequence[float]) -> list[float]:
    """|r - median| / (1.4826 MAD); a MAD of 0 is replaced by the smallest non-zero spread."""
    middle = median(residuals)
    spreads = [abs(residual - middle) for residual in residuals]
    unit = median(spreads) or min((spread for spread in spreads if spread > 0), default=1.0)
    return [spread / (1.4826 * unit) for spread in spreads]


def expected_values(points: Sequence[Point], season: int) -> list[float]:
    """Trend plus seasonal effect of each point's day."""
    days = [point.date.toordinal() for point in points]
    slope = _slope(days, [point.value for point in points], season)
    level = [point.value - slope * (day - days[0]) for point, day in zip(points, days, strict=True)]
    seasonal = _seasonal(days, level, _running(days, level, season), season)
    adjusted = [value - seasonal[day % season] for value, day in zip(level, days, strict=True)]
    trend = _running(days, adjusted, season)
    seasonal = _seasonal(days, level, trend, season)
    return [
        slope * (day - days[0]) + base + seasonal[day % season]
        for day, base in zip(days, trend, strict=True)
    ]


def _slope(days: Sequence[int], values: Sequence[float], season: int) -> float:
    """The median change a day between values some seasons apart, about half the series."""
    lag = (days[-1] - days[0]) // 2 // season * season
    if lag == 0:
        return 0.0
    at = dict(zip(days, values, strict=True))
    changes = [(at[day + lag] - value) / lag for day, value in at.items() if day + lag in at]
    return median(changes) if changes else 0.0


def _running(days: Sequence[int], values: Sequence[float], season: int) -> list[float]:
    """The median over a window of whole seasons around each day, kept inside the series."""
    width = min(_TREND_SEASONS * season, days[-1] - days[0] + 1)
    medians: dict[int, float] = {}
    result = []
    for day in days:
        first = min(max(day - width // 2, days[0]), days[-1] - width + 1)
        if first not in medians:
            window = values[bisect_left(days, first) : bisect_left(days, first + width)]
            medians[first] = median(window)
        result.append(medians[first])
    return result


def _seasonal(
    days: Sequence[int], values: Sequence[float], trend: Sequence[float], season: int
) -> list[float]:
    """The median departure from the trend of each day of the season; 0 where it is seen once.

    A single day would be its own expectation, and no anomaly could ever show there.
    """
    seen: list[list[float]] = [[] for _ in range(season)]
    for day, value, base in zip(days, values, trend, strict=True):
        seen[day % season].append(value - base)
    return [median(found) if len(found) > 1 else 0.0 for found in seen]


def _anomaly(
    points: Sequence[Point],
    expected: Sequence[float],
    residuals: Sequence[float],
    scores: Sequence[float],
    index: int,
) -> Anomaly:
    residual = residuals[index]
    around = [
        residuals[i]
        for i in range(max(index - _LEVEL_DAYS, 0), min(index + _LEVEL_DAYS + 1, len(points)))
        if i != index
    ]
    # A shift of the level never exceeds the day's own difference, nor points the other way.
    shift = median(around)
    shift = math.copysign(min(abs(shift), abs(residual)), residual) if shift * residual > 0 else 0.0
    return Anomaly(
        date=points[index].date,
        value=points[index].value,
        expected=expected[index],
        score=scores[index],
        direction="up" if residual > 0 else "down",
        parts=(Part("level_shift", shift), Part("spike", residual - shift)),
    )
