"""PynamoDB models of plans in the `findings` table.

    pk            sk                              kind
    T#<t>         PLAN#<plan>                     PlanRow
    T#<t>         PLANITEM#<plan>#<item>          EntryRow (the undo journal)
    T#<t>         PLANDUE#<epoch millis>#<plan>   DueRow
    T#<t>         PLANCOUNT                       CountRow
    T#<t>         LEDGER#<plan>#<item>            LedgerRow

A plan's items never change, so they lie in its own row: plan, findings and approval are made in one
transaction. Lists by time go over gsi1 with the kinds' own partitions.
"""

from __future__ import annotations

from pynamodb.attributes import (
    JSONAttribute,
    NumberAttribute,
    UnicodeAttribute,
    UTCDateTimeAttribute,
)
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex
from tidegate_kit.dynamo import Table

TABLE = "findings"


class ByTime(GlobalSecondaryIndex["PlanRow"]):  # type: ignore[no-untyped-call]
    """Plans of a tenant by creation."""

    class Meta:
        index_name = "gsi1"
        projection = AllProjection()

    gsi1pk = UnicodeAttribute(hash_key=True)
    gsi1sk = UnicodeAttribute(range_key=True)


class PlanRow(Table):
    """One plan. `fixed` holds what never changes besides times: items and decision."""

    class Meta:
        table_name = TABLE

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    by_time = ByTime()
    gsi1pk = UnicodeAttribute()
    gsi1sk = UnicodeAttribute()
    kind = UnicodeAttribute(default="plan")
    id = UnicodeAttribute()
    tenant_id = UnicodeAttribute()
    status = UnicodeAttribute()
    plan_hash = UnicodeAttribute()
    fixed = JSONAttribute()
    created_by = UnicodeAttribute()
    expires_at = UTCDateTimeAttribute()
    approval_id = UnicodeAttribute(null=True)
    execution_id = UnicodeAttribute(null=True)
    executed_by = UnicodeAttribute(null=True)
    executed_at = UTCDateTimeAttribute(null=True)
    run_id = UnicodeAttribute(null=True)
    run_deadline_at = UTCDateTimeAttribute(null=True)
    undo_items = JSONAttribute(null=True)
    undone_by = UnicodeAttribute(null=True)
    due_at = UTCDateTimeAttribute(null=True)
    request_id = UnicodeAttribute(null=True)
    item_count = NumberAttribute()
    version = NumberAttribute()


class EntryRow(Table):
    """The journal of one item."""

    class Meta:
        table_name = TABLE

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    kind = UnicodeAttribute(default="plan_item")
    plan_id = UnicodeAttribute()
    item_id = UnicodeAttribute()
    step = UnicodeAttribute()
    captured = JSONAttribute()
    result = JSONAttribute()
    restored = JSONAttribute()
    problem = JSONAttribute(null=True)
    looks = NumberAttribute(default=0)
    acted_at = UTCDateTimeAttribute(null=True)
    undo_until = UTCDateTimeAttribute(null=True)
    undone_at = UTCDateTimeAttribute(null=True)
    expected = UnicodeAttribute(null=True)
    version = NumberAttribute()


class DueRow(Table):
    """A plan that somebody must look at by then."""

    class Meta:
        table_name = TABLE

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    plan_id = UnicodeAttribute()


class CountRow(Table):
    """How many plans there are."""

    class Meta:
        table_name = TABLE

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    plans = NumberAttribute()


class LedgerByTime(GlobalSecondaryIndex["LedgerRow"]):  # type: ignore[no-untyped-call]
    """Ledger entries of a tenant by when was acted."""

    class Meta:
        index_name = "gsi1"
        projection = AllProjection()

    gsi1pk = UnicodeAttribute(hash_key=True)
    gsi1sk = UnicodeAttribute(range_key=True)


class LedgerRow(Table):
    """One executed action in the savings ledger. Money is decimal text."""

    class Meta:
        table_name = TABLE

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    by_time = LedgerByTime()
    gsi1pk = UnicodeAttribute()
    gsi1sk = UnicodeAttribute()
    kind = UnicodeAttribute(default="ledger")
    id = UnicodeAttribute()
    plan_id = UnicodeAttribute()
    item_id = UnicodeAttribute()
    finding_id = UnicodeAttribute()
    check_id = UnicodeAttribute()
    account_id = UnicodeAttribute()
    service = UnicodeAttribute()
    estimated_monthly = UnicodeAttribute(null=True)
    acted_at = UTCDateTimeAttribute()
    undone_at = UTCDateTimeAttribute(null=True)
    measured = JSONAttribute()
    version = NumberAttribute()
