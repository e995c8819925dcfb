"""Usage in numbers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from tidegate_kit.money import from_nano

from tidegate.ai.domain import UsageRow

GroupBy = Literal["day", "user", "model"]


@dataclass(frozen=True)
class Total:
    """Requests, USD and tokens under one key ("" for all)."""

    key: str
    requests: int
    cost: Decimal
    tokens: int

    @property
    def average_cost(self) -> Decimal | None:
        """USD a request; None without one."""
        return self.cost / self.requests if self.requests else None


def total(rows: Iterable[UsageRow], key: str = "") -> Total:
    """The sum of rows."""
    kept = list(rows)
    return Total(
        key,
        sum(row.requests for row in kept),
        from_nano(sum(row.cost for row in kept)),
        sum(row.usage.total_tokens for row in kept),
    )


def grouped(rows: Iterable[UsageRow], by: GroupBy) -> list[Total]:
    """Sums by day, user or model, in the order of their names."""
    groups: dict[str, list[UsageRow]] = {}
    for row in rows:
        name = {"day": row.day, "user": row.user_id, "model": row.model}[by]
        groups.setdefault(name, []).append(row)
    return [total(groups[name], name) for name in sorted(groups)]
