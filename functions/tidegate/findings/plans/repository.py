"""Plans, their journal and the savings ledger in the `findings` table."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import Any, Protocol

from tidegate_kit.dynamo import ConditionFailed, Transaction, batch_get, store_errors
from tidegate_kit.errors import NotFound
from tidegate_kit.tenancy import TenantScope, key

from tidegate.findings.plans.domain import Entry, LedgerEntry, Plan
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


class Plans(Protocol):
    """Plans of one tenant."""

    def get(self, plan_id: str) -> Plan:
        """One plan, read consistently. Raises NotFound."""

    def page(
        self, skip: int, limit: int, start: Mapping[str, Any] | None
    ) -> tuple[list[Plan], int, dict[str, Any] | None]:
        """Newest first: rows, total, next key."""

    def add(self, transaction: Transaction, plan: Plan) -> None:
        """Add a new plan to the caller's transaction (writes named `plan`)."""

    def change(
        self, before: Plan, after: Plan, now: datetime, *, tx: Transaction | None = None
    ) -> Plan:
        """Store `after` if `before` is what is stored; with the writes of `tx`, if given.

        Raises Superseded.
        """

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
        self, skip: int, limit: int, start: Mapping[str, Any] | None
    ) -> tuple[list[Plan], int, dict[str, Any] | None]:
        """See Plans."""
        below = None if start is None else PlanRow.gsi1sk < str(start["below"])
        with store_errors():
            rows = PlanRow.by_time.query(
                f"{self._scope.pk}#PLANS", below, scan_index_forward=False,
                limit=skip + limit + 1,
            )  # fmt: skip
            chosen = list(islice(rows, skip, skip + limit + 1))
        counter = self._row(CountRow, "PLANCOUNT")
        more = len(chosen) > limit
        next_key = {"below": chosen[limit - 1].gsi1sk} if more else None
        total = 0 if counter is None else int(counter.plans)
        return [plan_of(row) for row in chosen[:limit]], total, next_key

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
