"""In-memory twins of the repositories of pipelines."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal

from tidegate.pipelines.domain import DayCosts, Source
from tidegate.pipelines.errors import AccountGone


class MemoryCostSeries:
    """CostSeries of one tenant."""

    def __init__(self) -> None:
        self.generations: dict[str, int] = {}
        self.rows: dict[tuple[str, int, date, Source], DayCosts] = {}

    def generation(self, account_id: str) -> int:
        return self.generations.get(account_id, 0)

    def accounts(self) -> list[str]:
        return sorted(self.generations)

    def write(
        self, account_id: str, generation: int, days: Sequence[DayCosts], now: datetime
    ) -> None:
        if days and generation != self.generation(account_id):
            raise AccountGone
        for day in days:
            self.generations.setdefault(account_id, 0)
            self.rows[account_id, generation, day.date, day.source] = day

    def days(self, account_id: str, start: date, end: date) -> list[DayCosts]:
        present = self.generation(account_id)
        found = [
            day
            for (account, generation, when, _), day in self.rows.items()
            if account == account_id and generation == present and start <= when <= end
        ]
        return sorted(found, key=lambda day: (day.date, day.source))

    def totals(self, account_id: str, start: date, end: date) -> list[tuple[date, Source, Decimal]]:
        return [(day.date, day.source, day.total) for day in self.days(account_id, start, end)]

    def hide(self, account_id: str, now: datetime) -> None:
        self.generations[account_id] = self.generation(account_id) + 1

    def delete_some(self, account_id: str, limit: int) -> int:
        present = self.generation(account_id)
        old = [row for row in self.rows if row[0] == account_id and row[1] < present][:limit]
        for row in old:
            del self.rows[row]
        return len(old)
