"""Plans, their journal and the savings ledger in the `findings` table."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import Any, Protocol

from tidegate_kit.dynamo import ConditionFailed, Transaction, batch_get, store_errors
from tidegate_kit.errors import NotFound
from tidegate_kit.tenancy import TenantScope, key

from tidegate.findings.plans.domain import WAITING, Entry, LedgerEntry, Plan
from tidegate.findings.plans.errors import Superseded
from tidegate.findings.plans.models import CountRow, DueRow, EntryRow, LedgerRow, PlanRow
from tidegate.findings.plans.records import (
    entry_of,
    entry_row,
    ledger_of,
    ledger_row,
    millis,
    plan_of,
    plan_row,
)

_READ_AT_ONCE = 100


def every(plan: Plan) -> bool:
    """True: no plan is left out."""
    return True


class Plans(Protocol):
    """Plans of one tenant."""

    def get(self, plan_id: str) -> Plan:
        """One plan, read consistently. Raises NotFound."""

    def page(
        self,
        skip: int,
        limit: int,
        start: Mapping[str, Any] | None,
        shown: Callable[[Plan], bool] = every,
    ) -> tuple[list[Plan], int, dict[str, Any] | None]:
        """Newest first: rows, how many there are of all, next key.

        Rows that are not `shown` take no place in a page. They are in the total.
        """

    def waiting(self) -> list[Plan]:
        """Plans that wait for an approval or their execution, read consistently."""

    def add(self, transaction: Transaction, plan: Plan) -> None:
        """Add a new plan to the caller's transaction (writes named `plan`)."""

    def change(
        self, before: Plan, after: Plan, now: datetime, *, tx: Transaction | None = None
    ) -> Plan:
        """Store `after` if `before` is what is stored; with the writes of `tx`, if given.

        Raises Superseded.
        """

    def drop(self, plan: Plan, now: datetime, *, tx: Transaction) -> None:
        """Delete a plan that waits, as it was read, with the writes of `tx`. Raises Superseded."""

    def due(self, now: datetime, limit: int) -> list[str]:
        """Ids of plans that are due."""

    def entries(self, plan: Plan) -> dict[str, Entry]:
        """The journal of a plan by item id; items that nobody has begun are left out."""

    def entry(self, plan_id: str, item_id: str) -> Entry | None:
        """The journal of one item, read consistently."""

    def write(self, entry: Entry, now: datetime, ledger: LedgerEntry | None = None) -> Entry:
        """Store an entry and with it a ledger entry, if the stored one is of the version that this
        one was made of; the entry as stored. Raises Superseded."""

    def ledger_entry(self, plan_id: str, item_id: str) -> LedgerEntry | None:
        """The ledger entry of one item."""

    def ledger(self, start: datetime | None, end: datetime | None) -> Iterator[LedgerEntry]:
        """Ledger entries, newest first, that were acted within [start, end)."""

    def measure(self, entry: LedgerEntry, now: datetime) -> bool:
        """Store a measured entry; False when it was changed meanwhile."""


class DynamoPlans:
    """Plans on DynamoDB."""

    def __init__(self, scope: TenantScope) -> None:
        self._scope = scope

    def get(self, plan_id: str) -> Plan:
        """See Plans."""
        row = self._row(PlanRow, key("PLAN", plan_id))
        if row is None:
            raise NotFound
        return plan_of(row)

    def page(
        self,
        skip: int,
        limit: int,
        start: Mapping[str, Any] | None,
        shown: Callable[[Plan], bool] = every,
    ) -> tuple[list[Plan], int, dict[str, Any] | None]:
        """See Plans."""
        below = None if start is None else PlanRow.gsi1sk < str(start["below"])
        with store_errors():
            rows = PlanRow.by_time.query(
                f"{self._scope.pk}#PLANS", below, scan_index_forward=False,
                page_size=skip + limit + 1,
            )  # fmt: skip
            found = ((row.gsi1sk, plan_of(row)) for row in rows)
            kept = ((place, plan) for place, plan in found if shown(plan))
            chosen = list(islice(kept, skip, skip + limit + 1))
        counter = self._row(CountRow, "PLANCOUNT")
        next_key = {"below": chosen[limit - 1][0]} if len(chosen) > limit else None
        total = 0 if counter is None else int(counter.plans)
        return [plan for _, plan in chosen[:limit]], total, next_key

    def waiting(self) -> list[Plan]:
        """See Plans."""
        # A plan is due for as long as it waits or runs: by its expiry, or within minutes.
        with store_errors():
            due = list(
                DueRow.query(self._scope.pk, DueRow.sk.startswith("PLANDUE#"), consistent_read=True)
            )
        wanted = [(PlanRow, self._scope.pk, key("PLAN", one.plan_id)) for one in due]
        plans = [
            plan_of(row)
            for start in range(0, len(wanted), _READ_AT_ONCE)
            for row in batch_get(wanted[start : start + _READ_AT_ONCE])
            if row is not None
        ]
        return [plan for plan in plans if plan.status in WAITING]

    def drop(self, plan: Plan, now: datetime, *, tx: Transaction) -> None:
        """See Plans."""
        row = PlanRow(self._scope.pk, key("PLAN", plan.id))
        tx.delete(row, PlanRow.version == plan.version, name="plan")
        if plan.due_at is not None:
            tx.delete(self._due(plan, plan.due_at), name="plan-due")
        counter = CountRow(self._scope.pk, "PLANCOUNT")
        tx.update(counter, [CountRow.plans.add(-1), CountRow.updated_at.set(now)])
        with _superseded():
            tx.commit()

    def add(self, transaction: Transaction, plan: Plan) -> None:
        """See Plans."""
        now = plan.created_at
        transaction.save(plan_row(self._scope, plan, now), PlanRow.pk.does_not_exist(), name="plan")
        self._add_due(transaction, plan, now)
        counter = CountRow(self._scope.pk, "PLANCOUNT")
        transaction.update(
            counter,
            [
                CountRow.plans.add(1),
                CountRow.schema_version.set(1),
                CountRow.created_at.set(CountRow.created_at | now),
                CountRow.updated_at.set(now),
            ],
            name="plan-count",
        )

    def change(
        self, before: Plan, after: Plan, now: datetime, *, tx: Transaction | None = None
    ) -> Plan:
        """See Plans."""
        stored = replace(after, version=before.version + 1)
        writes = tx or Transaction()
        same = PlanRow.version == before.version
        writes.save(plan_row(self._scope, stored, now), same, name="plan")
        if before.due_at != after.due_at:
            if before.due_at is not None:
                writes.delete(self._due(before, before.due_at), name="plan-due")
            self._add_due(writes, stored, now)
        with _superseded():
            writes.commit()
        return stored

    def due(self, now: datetime, limit: int) -> list[str]:
        """See Plans."""
        with store_errors():
            rows = DueRow.query(
                self._scope.pk,
                DueRow.sk.between("PLANDUE#", f"PLANDUE#{millis(now)}~"),
                limit=limit,
                consistent_read=True,
            )
            return [row.plan_id for row in islice(rows, limit)]

    def entries(self, plan: Plan) -> dict[str, Entry]:
        """See Plans."""
        wanted = [
            (EntryRow, self._scope.pk, key("PLANITEM", plan.id, item.id)) for item in plan.items
        ]
        return {row.item_id: entry_of(row) for row in batch_get(wanted) if row is not None}

    def entry(self, plan_id: str, item_id: str) -> Entry | None:
        """See Plans."""
        row = self._row(EntryRow, key("PLANITEM", plan_id, item_id))
        return None if row is None else entry_of(row)

    def write(self, entry: Entry, now: datetime, ledger: LedgerEntry | None = None) -> Entry:
        """See Plans."""
        stored = replace(entry, version=entry.version + 1)
        known = EntryRow.pk.does_not_exist() if entry.version == 0 else (
            EntryRow.version == entry.version
        )  # fmt: skip
        writes = Transaction()
        writes.save(entry_row(self._scope, stored, now), known, name="entry")
        if ledger is not None:
            writes.save(ledger_row(self._scope, ledger, now), name="ledger")
        with _superseded():
            writes.commit()
        return stored

    def ledger_entry(self, plan_id: str, item_id: str) -> LedgerEntry | None:
        """See Plans."""
        row = self._row(LedgerRow, key("LEDGER", plan_id, item_id))
        return None if row is None else ledger_of(row)

    def ledger(self, start: datetime | None, end: datetime | None) -> Iterator[LedgerEntry]:
        """See Plans."""
        low = "0" if start is None else millis(start)
        high = "~" if end is None else millis(end)
        with store_errors():
            rows = LedgerRow.by_time.query(
                f"{self._scope.pk}#LEDGER",
                LedgerRow.gsi1sk.between(low, max(low, high)),
                scan_index_forward=False,
            )
            for row in rows:
                yield ledger_of(row)

    def measure(self, entry: LedgerEntry, now: datetime) -> bool:
        """See Plans."""
        row = ledger_row(self._scope, replace(entry, version=entry.version + 1), now)
        try:
            with store_errors():
                row.save(LedgerRow.version == entry.version)
        except ConditionFailed:
            return False
        return True

    def _row(self, model: Any, sk: str) -> Any:
        with store_errors():
            try:
                return model.get(self._scope.pk, sk, consistent_read=True)
            except model.DoesNotExist:
                return None

    def _due(self, plan: Plan, at: datetime) -> DueRow:
        return DueRow(self._scope.pk, key("PLANDUE", millis(at), plan.id), plan_id=plan.id)

    def _add_due(self, writes: Transaction, plan: Plan, now: datetime) -> None:
        if plan.due_at is not None:
            row = self._due(plan, plan.due_at)
            row.created_at = row.updated_at = now
            writes.save(row, name="plan-due")


@contextlib.contextmanager
def _superseded() -> Iterator[None]:
    try:
        yield
    except ConditionFailed as lost:
        raise Superseded from lost


__all__: Sequence[str] = ["DynamoPlans", "Plans"]
