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
from tidegate_kit.budget_store import BudgetModels, LimitsItem, ReservationItem, SpendItem
from tidegate_kit.dynamo import Table
from tidegate_kit.table_index import Gsi1, SparselyIndexed

TABLE = "pipelines"


class PipelinesTable(Table):
    """Every item of the table."""

    class Meta:
        table_name = TABLE


class CostAccountItem(PipelinesTable):
    """Where the cost series of one account lies."""

    account_id = UnicodeAttribute()
    generation = NumberAttribute(default=0)


class CostDayItem(PipelinesTable):
    """One day of one account from one source. `body` is zlib-compressed JSON of its lines."""

    date = UnicodeAttribute()
    source = UnicodeAttribute()
    total = UnicodeAttribute()
    body = BinaryAttribute(legacy_encoding=False)


class ApiLimitsItem(LimitsItem, PipelinesTable):
    """What calls of paid AWS APIs may cost."""


class ApiSpendItem(SpendItem, PipelinesTable):
    """What they have cost in a month."""


class ApiReservationItem(ReservationItem, PipelinesTable):
    """One paid call."""


API_BUDGET = BudgetModels(ApiLimitsItem, ApiSpendItem, ApiReservationItem)


class PipelineItem(SparselyIndexed, PipelinesTable):
    """One pipeline: its schedule, and which execution holds it."""

    # Global: enabled pipelines of every tenant by their next start.
    due: Gsi1[PipelineItem] = Gsi1()
    tenant_id = UnicodeAttribute(null=True)
    name = UnicodeAttribute(null=True)
    expression = UnicodeAttribute(null=True)
    enabled = BooleanAttribute(null=True)
    next_at = UTCDateTimeAttribute(null=True)
    running_id = UnicodeAttribute(null=True)
    running_until = UTCDateTimeAttribute(null=True)
    last_id = UnicodeAttribute(null=True)


class ExecutionItem(SparselyIndexed, PipelinesTable):
    """One execution with its stages and their units. TTL: `expires`."""

    # Global: running executions of every tenant by their start.
    running: Gsi1[ExecutionItem] = Gsi1()
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


class ListingItem(PipelinesTable):
    """An execution in the list of its pipeline. TTL: `expires`."""

    id = UnicodeAttribute()
    expires = NumberAttribute()


class FileItem(PipelinesTable):
    """A cost file that was read: its content's tag tells when it is another one."""

    name = UnicodeAttribute()
    tag = UnicodeAttribute()
