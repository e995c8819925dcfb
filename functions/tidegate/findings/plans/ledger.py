"""The journal with the savings ledger behind it: both are written at once (FND-11)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from tidegate.findings.plans.domain import Entry, LedgerEntry, Plan
from tidegate.findings.plans.repository import Plans
from tidegate.findings.savings.measure import COST_SERVICES


@dataclass(frozen=True)
class LedgeredJournal:
    """executor.Journal of one plan: a done action enters the ledger, an undone one ends there."""

    plans: Plans
    plan: Plan

    def entry(self, plan_id: str, item_id: str) -> Entry | None:
        """See executor.Journal."""
        return self.plans.entry(plan_id, item_id)

    def write(self, entry: Entry, now: datetime) -> Entry:
        """See executor.Journal."""
        ledger: LedgerEntry | None = None
        if entry.step == "done" and entry.acted_at is not None:
            known = self.plans.ledger_entry(entry.plan_id, entry.item_id)
            ledger = self._opened(entry, entry.acted_at) if known is None else None
        elif entry.step == "undone":
            known = self.plans.ledger_entry(entry.plan_id, entry.item_id)
            if known is not None:
                ledger = replace(known, undone_at=entry.undone_at, version=known.version + 1)
        return self.plans.write(entry, now, ledger)

    def _opened(self, entry: Entry, acted_at: datetime) -> LedgerEntry | None:
        item = self.plan.item(entry.item_id)
        if item is None:
            return None
        return LedgerEntry(
            id=item.id,
            plan_id=self.plan.id,
            item_id=item.id,
            finding_id=item.finding_id,
            check_id=item.check_id,
            account_id=item.account_id,
            service=COST_SERVICES[item.action],
            estimated_monthly=item.monthly,
            acted_at=acted_at,
        )
