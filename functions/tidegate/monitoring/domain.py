"""What is measured, and the cells in which it adds up. Pure.

A measurement is one thing that happened: a request, an execution, an inference, a paid call to
AWS, a probe of the platform. Cells hold sums, so any number of workers may add at once, and an
hour is the sum of its minutes. Durations go into a histogram of geometric classes (four to an
octave), which adds up too: a percentile read from it is off by at most 9 % (half a class).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

Kind = Literal["request", "execution", "ai", "aws", "probe"]
Granularity = Literal["minute", "hour", "day"]
Label = Literal["route", "user", "workflow", "account", "model"]
KINDS: tuple[Kind, ...] = ("request", "execution", "ai", "aws", "probe")
# Which groupings each kind can be told by.
LABELS: Mapping[Kind, tuple[str, ...]] = {
    "request": ("route", "user"),
    "execution": ("workflow",),
    "ai": ("model", "user"),
    "aws": ("account",),
    "probe": ("part",),
}
STEP = {
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
}
KEPT = timedelta(days=92)  # a little more than the longest range that may be asked for
_CLASSES_PER_OCTAVE = 4
MAX_CLASS = 120  # 2^30 microseconds: 18 minutes and more


@dataclass(frozen=True)
class Measurement:
    """One thing that happened. The same `id` is counted once, however often it is told.

    micros: duration in microseconds; cost_nanos: thousand-millionths of a US dollar.
    """

    id: str
    kind: Kind
    at: datetime
    ok: bool
    micros: int = 0
    cost_nanos: int = 0
    tokens: int = 0
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Cell:
    """Sums over some measurements."""

    count: int = 0
    failed: int = 0
    micros: int = 0
    cost_nanos: int = 0
    tokens: int = 0
    classes: Mapping[int, int] = field(default_factory=dict)

    @property
    def ok(self) -> int:
        """How many succeeded."""
        return self.count - self.failed

    def plus(self, other: Cell) -> Cell:
        """Both together."""
        classes = dict(self.classes)
        for index, number in other.classes.items():
            classes[index] = classes.get(index, 0) + number
        return Cell(
            self.count + other.count, self.failed + other.failed, self.micros + other.micros,
            self.cost_nanos + other.cost_nanos, self.tokens + other.tokens, classes,
        )  # fmt: skip

    def average(self, unit: int) -> float | None:
        """Mean duration in units of so many microseconds, 3 decimals; None of nothing (MON-4)."""
        return round(self.micros / self.count / unit, 3) if self.count else None

    def percentile(self, share: float) -> float | None:
        """The duration in milliseconds that this share does not pass; None of nothing."""
        total = sum(self.classes.values())
        if total == 0:
            return None
        rank, seen = max(1, math.ceil(share * total)), 0
        for index in sorted(self.classes):
            seen += self.classes[index]
            if seen >= rank:
                return round(middle_of(index) / 1000, 3)
        raise AssertionError("a rank lies within the total")


NOTHING = Cell()


def class_of(micros: int) -> int:
    """The histogram class of a duration."""
    if micros < 1:
        return 0
    return min(MAX_CLASS, math.floor(math.log2(micros) * _CLASSES_PER_OCTAVE) + 1)


def middle_of(index: int) -> float:
    """The geometric middle of a class, in microseconds."""
    return 0.0 if index == 0 else float(2 ** ((index - 0.5) / _CLASSES_PER_OCTAVE))


def cell_of(measurement: Measurement) -> Cell:
    """What one measurement adds."""
    return Cell(
        1, 0 if measurement.ok else 1, measurement.micros, measurement.cost_nanos,
        measurement.tokens, {class_of(measurement.micros): 1},
    )  # fmt: skip


def total_of(cells: Iterable[Cell]) -> Cell:
    """The sum."""
    total = NOTHING
    for cell in cells:
        total = total.plus(cell)
    return total


def floor(moment: datetime, granularity: Granularity) -> datetime:
    """The start of the UTC minute, hour or day."""
    moment = moment.astimezone(UTC).replace(second=0, microsecond=0)
    if granularity == "minute":
        return moment
    moment = moment.replace(minute=0)
    return moment if granularity == "hour" else moment.replace(hour=0)


def buckets(start: datetime, end: datetime, granularity: Granularity) -> list[datetime]:
    """The starts of every bucket that touches [start, end)."""
    step, at, found = STEP[granularity], floor(start, granularity), []
    while at < end:
        found.append(at)
        at += step
    return found


@dataclass(frozen=True)
class Place:
    """Where a measurement adds up: `label` is "all" or a grouping, `value` its value."""

    kind: Kind
    granularity: Literal["minute", "hour"]
    label: str
    start: datetime
    value: str


def places_of(measurement: Measurement, *, grouped: Iterable[str]) -> list[Place]:
    """Every cell of series that a measurement goes into; days are summed from hours."""
    values = {"all": ""}
    for label in grouped:
        if label in LABELS[measurement.kind] and measurement.labels.get(label):
            values[label] = measurement.labels[label]
    sizes: tuple[Literal["minute", "hour"], ...] = ("minute", "hour")
    return [
        Place(measurement.kind, size, label, floor(measurement.at, size), value)
        for size in sizes
        for label, value in values.items()
    ]
