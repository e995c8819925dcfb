"""Time. Code takes a `Clock`; nothing else calls `datetime.now`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Clock = Callable[[], datetime]


def system_clock() -> datetime:
    """The current instant, UTC, microseconds."""
    return datetime.now(UTC)


def iso(moment: datetime) -> str:
    """ISO 8601 UTC with Z; milliseconds only if not zero (GEN-10)."""
    moment = moment.astimezone(UTC)
    millis = moment.microsecond // 1000
    base = moment.strftime("%Y-%m-%dT%H:%M:%S")
    return f"{base}.{millis:03d}Z" if millis else f"{base}Z"


def epoch(moment: datetime) -> int:
    """Whole seconds since 1970, rounded down."""
    return int(moment.timestamp())


def from_epoch(seconds: float) -> datetime:
    """The UTC instant of an epoch time in seconds."""
    return datetime.fromtimestamp(seconds, UTC)


class FixedClock:
    """A clock for tests: stands still until moved."""

    def __init__(self, now: datetime | None = None) -> None:
        self.now = now or datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **delta: float) -> datetime:
        """Move by `timedelta(**delta)` and return the new instant."""
        self.now += timedelta(**delta)
        return self.now
