"""A series on the calendar: points in, days with gaps out. Gaps are None, never zero (LAB-3)."""

from __future__ import annotations

import hashlib
import json
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from tidegate.lab.domain import Point

MAX_POINTS = 10_000
MAX_DAYS = 20_000  # first to last; some 55 years
MAX_VALUE = 1e15  # beyond it squares of differences lose all meaning in floating point


@dataclass(frozen=True)
class Series:
    """Values of consecutive days from `start` on; None where there is no value."""

    start: date
    values: tuple[float | None, ...]

    @property
    def last(self) -> date:
        """The day of the last value."""
        return self.start + timedelta(days=len(self.values) - 1)

    @property
    def observed(self) -> int:
        """How many days have a value."""
        return sum(value is not None for value in self.values)

    def day(self, index: int) -> date:
        """The date at a position; may lie beyond the end."""
        return self.start + timedelta(days=index)


def series_of(points: Sequence[Point]) -> Series:
    """The series of points in strictly rising order of dates. Raises ValueError otherwise."""
    if not points:
        raise ValueError("no points")
    start = points[0].date
    values: list[float | None] = []
    for point in points:
        gap = (point.date - start).days - len(values)
        if gap < 0:
            raise ValueError("dates do not rise")
        values += [None] * gap
        values.append(point.value)
    return Series(start, tuple(values))


def points_of(series: Series) -> list[Point]:
    """The points of a series, without the gaps."""
    return [
        Point(series.day(index), value)
        for index, value in enumerate(series.values)
        if value is not None
    ]


def content_hash(points: Sequence[Point]) -> str:
    """SHA-256 (hex) of the canonical JSON [[date, value], ...]."""
    rows = [[point.date.isoformat(), float(point.value)] for point in points]
    return hashlib.sha256(json.dumps(rows, separators=(",", ":")).encode()).hexdigest()


def pack(points: Sequence[Point]) -> bytes:
    """Points as compressed bytes: 10,000 of them fit one DynamoDB item with room to spare."""
    days = [point.date.toordinal() for point in points]
    values = [point.value for point in points]
    raw = struct.pack(f"<i{len(days)}i{len(values)}d", len(days), *days, *values)
    return zlib.compress(raw, 6)


def unpack(data: bytes) -> list[Point]:
    """The points of `pack`."""
    raw = zlib.decompress(data)
    (count,) = struct.unpack_from("<i", raw)
    days = struct.unpack_from(f"<{count}i", raw, 4)
    values = struct.unpack_from(f"<{count}d", raw, 4 + 4 * count)
    return [Point(date.fromordinal(day), value) for day, value in zip(days, values, strict=True)]
