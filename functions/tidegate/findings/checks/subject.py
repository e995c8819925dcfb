"""One resource as a check sees it: what was read of it, and an error for what was not."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any


class Unread(Exception):
    """A check needs something that was not read or not measured: its outcome is unknown.

    `name` is the attribute or `metrics.<name>`; `reason` says more where no permission is missing.
    """

    def __init__(self, name: str, reason: str = "not read or not measured") -> None:
        super().__init__(f"{name}: {reason}")
        self.name = name
        self.reason = reason


class Subject:
    """A resource of a snapshot at the snapshot's time.

    `reads` are the attributes and metrics that the check declared; any other is a LookupError.
    """

    __slots__ = ("_line", "_reads", "now")

    def __init__(self, line: Mapping[str, Any], now: datetime, reads: Mapping[str, str]) -> None:
        self._line = line
        self.now = now
        self._reads = reads

    @property
    def line(self) -> Mapping[str, Any]:
        """The snapshot's line: id, arn, type, name, account_id, region, state, tags, ..."""
        return self._line

    @property
    def region(self) -> str:
        """Where it is."""
        region: str = self._line["region"]
        return region

    @property
    def state(self) -> str | None:
        """Its state in AWS's words."""
        state: str | None = self._line["state"]
        return state

    @property
    def short_id(self) -> str:
        """What follows the last slash of the ARN."""
        arn: str = self._line["arn"]
        return arn.rsplit("/", 1)[-1]

    @property
    def name(self) -> str:
        """Its name, or its short id."""
        return str(self._line["name"] or self.short_id)

    def attr(self, name: str) -> Any:
        """An attribute that must have been read. Raises Unread."""
        self._declared(name)
        attributes = self._line["attributes"]
        if name not in attributes:
            raise Unread(name)
        return attributes[name]

    def optional(self, name: str) -> Any:
        """An attribute that AWS leaves out where it does not apply; None then. Raises Unread."""
        self._declared(name)
        if name in self._line["unknown"]:
            raise Unread(name)
        return self._line["attributes"].get(name)

    def metric(self, name: str) -> Any:
        """A measurement. Raises Unread."""
        self._declared(f"metrics.{name}")
        metrics = self._line["metrics"]
        if name not in metrics:
            raise Unread(f"metrics.{name}")
        return metrics[name]

    def part(self, name: str, part: str) -> Any:
        """A part of a measurement that may be missing alone. Raises Unread."""
        self._declared(f"metrics.{name}.{part}")
        value = self.metric(name)[part]
        if value is None:
            raise Unread(f"metrics.{name}.{part}")
        return value

    def counted(self, name: str) -> Decimal:
        """A counter's sum: CloudWatch has no data point where nothing happened. Raises Unread."""
        value = self.metric(name)["value"]
        return Decimal(0) if value is None else Decimal(str(value))

    def gauge(self, name: str) -> Decimal:
        """A measured level; no data point is not measured. Raises Unread."""
        value = self.metric(name)["value"]
        if value is None:
            raise Unread(f"metrics.{name}", "no data points")
        return Decimal(str(value))

    def days_since(self, moment: str) -> Decimal:
        """Days from an ISO time to the snapshot, not below 0."""
        seconds = (self.now - datetime.fromisoformat(moment)).total_seconds()
        return max(Decimal(0), (Decimal(str(seconds)) / 86400).quantize(Decimal("0.01")))

    @property
    def unchanged_days(self) -> Decimal:
        """For how long the inventory has seen it with the same settings and state."""
        return self.days_since(self._line["unchanged_since"])

    def _declared(self, name: str) -> None:
        if name not in self._reads:
            raise LookupError(f"{name} is not declared")
