"""Atomic per-minute limits (RATE-1 to RATE-3)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from pynamodb.attributes import NumberAttribute

from tidegate_kit.clock import Clock, epoch
from tidegate_kit.dynamo import ConditionFailed, Table, store_errors
from tidegate_kit.errors import TooManyRequests

WINDOW_SECONDS = 60
RateClass = Literal["A", "W", "T", "M", "I", "D", "NONE"]
LIMITS: dict[str, int] = {"A": 10, "W": 100, "T": 50, "M": 200, "I": 20, "D": 100}
UNAUTHENTICATED_LIMIT = 100


class RateCounterItem(Table):
    """One counter per subject, class and minute. TTL: `expires`."""

    class Meta:
        table_name = "platform"

    hits = NumberAttribute(default=0)
    expires = NumberAttribute()


@dataclass(frozen=True)
class RateState:
    """What the X-RateLimit headers tell (RATE-2)."""

    limit: int
    remaining: int
    reset: int

    def headers(self) -> dict[str, str]:
        """X-RateLimit-* of RATE-2."""
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(self.reset),
            "X-RateLimit-Window": str(WINDOW_SECONDS),
        }


class RateCounters(Protocol):
    """Counts hits; the only decision is in the store, so it holds under concurrency."""

    def hit(self, subject: str, kind: str, minute: int, limit: int, now: datetime) -> int | None:
        """The count after this hit, or None where it would pass the limit (nothing counted)."""


class DynamoRateCounters:
    """RateCounters by one conditional update."""

    def hit(self, subject: str, kind: str, minute: int, limit: int, now: datetime) -> int | None:
        item = RateCounterItem(subject, f"RATE#{kind}#{minute}")
        try:
            with store_errors():
                item.update(
                    actions=[
                        RateCounterItem.hits.add(1),
                        RateCounterItem.expires.set((minute + 2) * WINDOW_SECONDS),
                        RateCounterItem.schema_version.set(1),
                        RateCounterItem.created_at.set(RateCounterItem.created_at | now),
                        RateCounterItem.updated_at.set(now),
                    ],
                    condition=RateCounterItem.hits.does_not_exist()
                    | (RateCounterItem.hits < limit),
                )
        except ConditionFailed:
            return None
        return int(item.hits)


class RateLimiter:
    """Applies a limit to a subject; raises TooManyRequests with Retry-After."""

    def __init__(self, counters: RateCounters, clock: Clock) -> None:
        self._counters = counters
        self._clock = clock

    def check(self, subject: str, kind: str, limit: int | None = None) -> RateState:
        """Count one call of `subject` (a partition key such as IP#1.2.3.4) in class `kind`."""
        now = self._clock()
        seconds = epoch(now)
        minute = seconds // WINDOW_SECONDS
        reset = (minute + 1) * WINDOW_SECONDS
        allowed = LIMITS[kind] if limit is None else limit
        count = self._counters.hit(subject, kind, minute, allowed, now)
        if count is None:
            state = RateState(allowed, 0, reset)
            raise TooManyRequests(
                headers={"Retry-After": str(max(1, reset - seconds)), **state.headers()}
            )
        return RateState(allowed, allowed - count, reset)
