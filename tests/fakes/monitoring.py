"""The in-memory twin of monitoring's repository."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

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
