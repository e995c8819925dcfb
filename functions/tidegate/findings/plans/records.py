"""Between stored rows and domain objects."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from typing import Any

from tidegate_kit.tenancy import TenantScope, key

from tidegate.findings.plans.domain import (
    Entry,
    LedgerEntry,
    Person,
    Plan,
    PlanDecision,
    PlanItem,
    Problem,
)
from tidegate.findings.plans.models import EntryRow, LedgerRow, PlanRow


def millis(moment: datetime) -> str:
    """A time as a sortable key part of fixed width."""
    return f"{int(moment.timestamp() * 1000):014d}"


def plan_row(scope: TenantScope, plan: Plan, now: datetime) -> PlanRow:
    """The row of a plan."""
    fixed = {
        "items": [asdict(item) for item in plan.items],
        "decision": asdict(plan.decision),
        "person": asdict(plan.created_by),
    }
    return PlanRow(
        scope.pk,
        key("PLAN", plan.id),
        gsi1pk=f"{scope.pk}#PLANS",
        gsi1sk=f"{millis(plan.created_at)}#{plan.id}",
        id=plan.id,
        tenant_id=scope.tenant_id,
        status=plan.status,
        plan_hash=plan.plan_hash,
        fixed=fixed,
        created_by=plan.created_by.id,
        expires_at=plan.expires_at,
        approval_id=plan.approval_id,
        execution_id=plan.execution_id,
        executed_by=plan.executed_by,
        executed_at=plan.executed_at,
        run_id=plan.run_id,
        run_deadline_at=plan.run_deadline_at,
        undo_items=list(plan.undo_items) or None,
        undone_by=plan.undone_by,
        due_at=plan.due_at,
        request_id=plan.request_id,
        item_count=len(plan.items),
        version=plan.version,
        created_at=plan.created_at,
        updated_at=now,
    )


def plan_of(row: PlanRow) -> Plan:
    """The plan of a row."""
    status: Any = row.status
    decision = dict(row.fixed["decision"])
    decision["policy_ids"] = tuple(decision["policy_ids"])
    person = row.fixed["person"]
    return Plan(
        id=row.id,
        status=status,
        plan_hash=row.plan_hash,
        items=tuple(PlanItem(**item) for item in row.fixed["items"]),
        decision=PlanDecision(**decision),
        created_by=Person(person["id"], tuple(person["roles"]), person["email"]),
        created_at=row.created_at,
        expires_at=row.expires_at,
        approval_id=row.approval_id,
        execution_id=row.execution_id,
        executed_by=row.executed_by,
        executed_at=row.executed_at,
        run_id=row.run_id,
        run_deadline_at=row.run_deadline_at,
        undo_items=tuple(row.undo_items or ()),
        undone_by=row.undone_by,
        due_at=row.due_at,
        request_id=row.request_id,
        version=int(row.version),
    )


def entry_row(scope: TenantScope, entry: Entry, now: datetime) -> EntryRow:
    """The row of a journal entry."""
    return EntryRow(
        scope.pk,
        key("PLANITEM", entry.plan_id, entry.item_id),
        plan_id=entry.plan_id,
        item_id=entry.item_id,
        step=entry.step,
        captured=dict(entry.captured),
        result=dict(entry.result),
        restored=dict(entry.restored),
        problem=None if entry.problem is None else asdict(entry.problem),
        looks=entry.looks,
        acted_at=entry.acted_at,
        undo_until=entry.undo_until,
        undone_at=entry.undone_at,
        expected=entry.expected or None,
        version=entry.version,
        created_at=now,
        updated_at=now,
    )


def entry_of(row: EntryRow) -> Entry:
    """The journal entry of a row."""
    step: Any = row.step
    return Entry(
        plan_id=row.plan_id,
        item_id=row.item_id,
        step=step,
        captured=row.captured,
        result=row.result,
        restored=row.restored,
        problem=None if row.problem is None else Problem(**row.problem),
        looks=int(row.looks),
        acted_at=row.acted_at,
        undo_until=row.undo_until,
        undone_at=row.undone_at,
        expected=row.expected or "",
        version=int(row.version),
    )


def ledger_row(scope: TenantScope, entry: LedgerEntry, now: datetime) -> LedgerRow:
    """The row of a ledger entry."""
    estimate = entry.estimated_monthly
    return LedgerRow(
        scope.pk,
        key("LEDGER", entry.plan_id, entry.item_id),
        gsi1pk=f"{scope.pk}#LEDGER",
        gsi1sk=f"{millis(entry.acted_at)}#{entry.id}",
        id=entry.id,
        plan_id=entry.plan_id,
        item_id=entry.item_id,
        finding_id=entry.finding_id,
        check_id=entry.check_id,
        account_id=entry.account_id,
        service=entry.service,
        estimated_monthly=None if estimate is None else str(estimate),
        acted_at=entry.acted_at,
        undone_at=entry.undone_at,
        measured={str(days): _text(amount) for days, amount in entry.measured.items()},
        version=entry.version,
        created_at=entry.acted_at,
        updated_at=now,
    )


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else str(amount)


def ledger_of(row: LedgerRow) -> LedgerEntry:
    """The ledger entry of a row."""
    estimate = row.estimated_monthly
    return LedgerEntry(
        id=row.id,
        plan_id=row.plan_id,
        item_id=row.item_id,
        finding_id=row.finding_id,
        check_id=row.check_id,
        account_id=row.account_id,
        service=row.service,
        estimated_monthly=None if estimate is None else Decimal(estimate),
        acted_at=row.acted_at,
        undone_at=row.undone_at,
        measured={
            int(days): None if amount is None else Decimal(amount)
            for days, amount in row.measured.items()
        },
        version=int(row.version),
    )
