"""PynamoDB models of the `pipelines` table. One physical table, these kinds of items.

    pk                         sk                         kind
    T#<t>                      COSTS#<account>            CostAccountItem
    T#<t>#C#<account>#<gen>    DAY#<date>#<source>        CostDayItem
    T#<t>                      BUDGET, SPEND#, RES#       tidegate_kit.budget_store
    T#<t>                      PIPE#<name>                PipelineItem; gsi1 DUE (global)
    T#<t>                      EXEC#<id>                  ExecutionItem; gsi1 RUNNING (global)
    T#<t>#P#<name>             EXEC#<ms>#<id>             ListingItem
    T#<t>                      FILE#<hash>                FileItem

A disconnect raises the account's generation, so that its days are out of reach at once.
"""

from __future__ import annotations

from pynamodb.attributes import (
    BinaryAttribute,
    BooleanAttribute,
    JSONAttribute,
    NumberAttribute,
    UnicodeAttribute,
    UTCDateTimeAttribute,
)
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex
from tidegate_kit.budget_store import BudgetModels, LimitsItem, ReservationItem, SpendItem
from tidegate_kit.dynamo import Table

TABLE = "pipelines"


class CostAccountItem(Table):
    """Where the cost series of one account lies."""

    class Meta:
        table_name = TABLE

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    account_id = UnicodeAttribute()
    generation = NumberAttribute(default=0)


class CostDayItem(Table):
    """One day of one account from one source. `body` is zlib-compressed JSON of its lines."""

    class Meta:
        table_name = TABLE

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    date = UnicodeAttribute()
    source = UnicodeAttribute()
    total = UnicodeAttribute()
    body = BinaryAttribute(legacy_encoding=False)


class ApiLimitsItem(LimitsItem):
    """What calls of paid AWS APIs may cost."""

    class Meta:
        table_name = TABLE


class ApiSpendItem(SpendItem):
    """What they have cost in a month."""

    class Meta:
        table_name = TABLE


class OpenReservations(GlobalSecondaryIndex["ApiReservationItem"]):  # type: ignore[no-untyped-call]
    """Global: open reservations of every tenant by their end."""

    class Meta:
        index_name = "gsi1"
        projection = AllProjection()

    gsi1pk = UnicodeAttribute(hash_key=True)
    gsi1sk = UnicodeAttribute(range_key=True)


class ApiReservationItem(ReservationItem):
    """One paid call."""

    class Meta:
        table_name = TABLE

    open_reservations = OpenReservations()


API_BUDGET = BudgetModels(
    ApiLimitsItem, ApiSpendItem, ApiReservationItem, ApiReservationItem.open_reservations
)


class DuePipelines(GlobalSecondaryIndex["PipelineItem"]):  # type: ignore[no-untyped-call]
    """Global: enabled pipelines of every tenant by their next start."""

    class Meta:
        index_name = "gsi1"
        projection = AllProjection()

    gsi1pk = UnicodeAttribute(hash_key=True)
    gsi1sk = UnicodeAttribute(range_key=True)


class PipelineItem(Table):
    """One pipeline: its schedule, and which execution holds it."""

    class Meta:
        table_name = TABLE

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    due = DuePipelines()
    gsi1pk = UnicodeAttribute(null=True)
    gsi1sk = UnicodeAttribute(null=True)
    tenant_id = UnicodeAttribute(null=True)
    name = UnicodeAttribute(null=True)
    expression = UnicodeAttribute(null=True)
    enabled = BooleanAttribute(null=True)
    next_at = UTCDateTimeAttribute(null=True)
    running_id = UnicodeAttribute(null=True)
    running_until = UTCDateTimeAttribute(null=True)
    last_id = UnicodeAttribute(null=True)


class RunningExecutions(GlobalSecondaryIndex["ExecutionItem"]):  # type: ignore[no-untyped-call]
    """Global: running executions of every tenant by their start."""

    class Meta:
        index_name = "gsi1"
        projection = AllProjection()

    gsi1pk = UnicodeAttribute(hash_key=True)
    gsi1sk = UnicodeAttribute(range_key=True)


class ExecutionItem(Table):
    """One execution with its stages and their units. TTL: `expires`."""

    class Meta:
        table_name = TABLE

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    running = RunningExecutions()
    gsi1pk = UnicodeAttribute(null=True)
    gsi1sk = UnicodeAttribute(null=True)
    id = UnicodeAttribute()
    tenant_id = UnicodeAttribute()
    pipeline = UnicodeAttribute()
    status = UnicodeAttribute()
    trigger = UnicodeAttribute()
    parameters = JSONAttribute()
    stages = JSONAttribute()
    started_at = UTCDateTimeAttribute()
    deadline_at = UTCDateTimeAttribute()
    completed_at = UTCDateTimeAttribute(null=True)
    revision = NumberAttribute()
    launched = BooleanAttribute(default=False)
    expires = NumberAttribute()


class ListingItem(Table):
    """An execution in the list of its pipeline. TTL: `expires`."""

    class Meta:
        table_name = TABLE

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    id = UnicodeAttribute()
    expires = NumberAttribute()


class FileItem(Table):
    """A cost file that was read: its content's tag tells when it is another one."""

    class Meta:
        table_name = TABLE

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    name = UnicodeAttribute()
    tag = UnicodeAttribute()
