"""Measuring the ledger day by day."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Final

from tidegate_kit.clock import Clock

from tidegate.findings.plans.domain import LedgerEntry
from tidegate.findings.plans.repository import Plans
from tidegate.findings.savings.measure import BEFORE_DAYS, WINDOWS, Costs, due, measure

# (account, service or None for all, first day, last day) -> known daily costs
CostSource = Callable[[str, str | None, date, date], Costs]
_LOOK_BACK: Final = timedelta(days=max(WINDOWS) + 30)


@dataclass(frozen=True)
class SavingsService:
    """The savings ledger of one tenant."""

    plans: Plans
    costs: CostSource
    clock: Clock

    def entries(self, start: datetime | None, end: datetime | None) -> list[LedgerEntry]:
        """Entries that were acted within [start, end), newest first."""
        return list(self.plans.ledger(start, end))

    def measure(self, day: date) -> int:
        """Measure every window that is over on `day`; how many. Running it again adds nothing."""
        end = datetime.combine(day, time.max, UTC)
        entries = self.entries(end - _LOOK_BACK, end)
        groups: dict[tuple[str, str], list[LedgerEntry]] = defaultdict(list)
        for entry in entries:
            groups[entry.account_id, entry.service].append(entry)
        return sum(
            self._measured(entry, group, day)
            for group in groups.values()
            for entry in group
            if due(entry, day)
        )

    def _measured(self, entry: LedgerEntry, group: Sequence[LedgerEntry], day: date) -> int:
        first = entry.acted_at.date() - timedelta(days=BEFORE_DAYS)
        service = self.costs(entry.account_id, entry.service, first, day)
        account = self.costs(entry.account_id, None, first, day)
        found: dict[int, Decimal | None] = {}
        for days in due(entry, day):
            done = measure(entry, days, service, account, group, day)
            if done is not None:
                found[done.days] = done.amount
        if not found:
            return 0
        measured = replace(entry, measured={**entry.measured, **found})
        return len(found) if self.plans.measure(measured, self.clock()) else 0
