"""The in-memory twins of monitoring's repositories."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from tidegate.monitoring.domain import (
    NOTHING,
    Cell,
    Kind,
    Measurement,
    Place,
    cell_of,
    places_of,
)
from tidegate.monitoring.repository import ForeignStore, Marker
from tidegate_kit.errors import ServiceUnavailable


@dataclass
class MemoryHealthRepository:
    """HealthRepository in a dictionary; `down` names the methods that do not answer."""

    arn: str
    marker: Marker | None = None
    down: set[str] = field(default_factory=set)

    def _answer(self, method: str) -> None:
        if method in self.down:
            raise ServiceUnavailable(log=f"{method}: down")

    def table_arn(self) -> str:
        self._answer("table_arn")
        return self.arn

    def write_marker(self, stage: str, arn: str, now: datetime) -> int:
        self._answer("write_marker")
        if self.marker is not None and self.marker.stage != stage:
            raise ForeignStore
        writes = 1 if self.marker is None else self.marker.writes + 1
        self.marker = Marker(stage, arn, writes)
        return writes

    def read_marker(self) -> Marker | None:
        self._answer("read_marker")
        return self.marker

    def read_counters(self) -> None:
        self._answer("read_counters")


@dataclass
class MemoryMetrics:
    """Metrics in dictionaries."""

    labels: frozenset[str] = frozenset({"route", "user", "workflow", "account", "model", "part"})
    rows: dict[tuple[str, str], Measurement] = field(default_factory=dict)
    sums: dict[Place, Cell] = field(default_factory=dict)
    totals: dict[str, Cell] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, measurements: Sequence[Measurement], now: datetime) -> int:
        new = 0
        with self.lock:
            for one in measurements:
                if (one.kind, one.id) in self.rows:
                    continue
                self.rows[one.kind, one.id] = one
                new += 1
                added = cell_of(one)
                self.totals[one.kind] = self.totals.get(one.kind, NOTHING).plus(added)
                for place in places_of(one, grouped=self.labels):
                    self.sums[place] = self.sums.get(place, NOTHING).plus(added)
        return new

    def total(self, kind: Kind) -> Cell:
        return self.totals.get(kind, NOTHING)

    def cells(
        self, kind: Kind, size: str, label: str, start: datetime, end: datetime
    ) -> Iterator[tuple[datetime, str, Cell]]:
        for place, cell in self.sums.items():
            wanted = (place.kind, place.granularity, place.label) == (kind, size, label)
            if wanted and start <= place.start < end:
                yield place.start, place.value, cell

    def counted(self, day: datetime) -> Iterator[Measurement]:
        for one in self.rows.values():
            if one.at.date() == day.date():
                yield one
