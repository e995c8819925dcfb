"""Plans in memory, with the conditions of the stored ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from tidegate.findings.plans.domain import WAITING, Entry, LedgerEntry, Plan
from tidegate.findings.plans.errors import Superseded
from tidegate.findings.plans.records import millis
from tidegate.findings.plans.repository import every
from tidegate_kit.dynamo import Transaction
from tidegate_kit.errors import NotFound


@dataclass
class MemoryPlans:
    """plans.repository.Plans; writes of a transaction happen at once."""

    stored: dict[str, Plan] = field(default_factory=dict)
    journal: dict[tuple[str, str], Entry] = field(default_factory=dict)
    book: dict[tuple[str, str], LedgerEntry] = field(default_factory=dict)

    def get(self, plan_id: str) -> Plan:
        if plan_id not in self.stored:
            raise NotFound
        return self.stored[plan_id]

    def page(
        self,
        skip: int,
        limit: int,
        start: Mapping[str, Any] | None,
        shown: Callable[[Plan], bool] = every,
    ) -> tuple[list[Plan], int, dict[str, Any] | None]:
        rows = sorted(filter(shown, self.stored.values()), key=_place, reverse=True)
        if start is not None:
            rows = [row for row in rows if _place(row) < start["below"]]
        chosen = rows[skip : skip + limit]
        more = len(rows) > skip + limit
        return chosen, len(self.stored), {"below": _place(chosen[-1])} if more else None

    def add(self, transaction: Transaction, plan: Plan) -> None:
        self.stored[plan.id] = plan

    def change(
        self, before: Plan, after: Plan, now: datetime, *, tx: Transaction | None = None
    ) -> Plan:
        if self.stored[before.id].version != before.version:
            raise Superseded
        self.stored[before.id] = replace(after, version=before.version + 1)
        return self.stored[before.id]

    def waiting(self) -> list[Plan]:
        return [plan for plan in self.stored.values() if plan.status in WAITING]

    def drop(self, plan: Plan, now: datetime, *, tx: Transaction) -> None:
        if plan.id not in self.stored or self.stored[plan.id].version != plan.version:
            raise Superseded
        del self.stored[plan.id]

    def due(self, now: datetime, limit: int) -> list[str]:
        waiting = [(plan.due_at, plan.id) for plan in self.stored.values() if plan.due_at]
        return [id_ for at, id_ in sorted(waiting) if at <= now][:limit]

    def entries(self, plan: Plan) -> dict[str, Entry]:
        found = {item.id: self.entry(plan.id, item.id) for item in plan.items}
        return {id_: entry for id_, entry in found.items() if entry is not None}

    def entry(self, plan_id: str, item_id: str) -> Entry | None:
        return self.journal.get((plan_id, item_id))

    def write(self, entry: Entry, now: datetime, ledger: LedgerEntry | None = None) -> Entry:
        key = (entry.plan_id, entry.item_id)
        known = self.journal.get(key)
        if entry.version != (0 if known is None else known.version):
            raise Superseded
        self.journal[key] = replace(entry, version=entry.version + 1)
        if ledger is not None:
            self.book[ledger.plan_id, ledger.item_id] = ledger
        return self.journal[key]

    def ledger_entry(self, plan_id: str, item_id: str) -> LedgerEntry | None:
        return self.book.get((plan_id, item_id))

    def ledger(self, start: datetime | None, end: datetime | None) -> Iterator[LedgerEntry]:
        rows = sorted(self.book.values(), key=lambda one: (one.acted_at, one.id), reverse=True)
        for row in rows:
            late = start is not None and row.acted_at < start
            if not late and (end is None or row.acted_at < end):
                yield row

    def measure(self, entry: LedgerEntry, now: datetime) -> bool:
        key = (entry.plan_id, entry.item_id)
        if self.book[key].version != entry.version:
            return False
        self.book[key] = replace(entry, version=entry.version + 1)
        return True


def _place(plan: Plan) -> str:
    return f"{millis(plan.created_at)}#{plan.id}"
