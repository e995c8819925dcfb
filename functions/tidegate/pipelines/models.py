"""PynamoDB models of the `pipelines` table. One physical table, these kinds of items.

    pk                         sk                         kind
    T#<t>                      COSTS#<account>            CostAccountItem
    T#<t>#C#<account>#<gen>    DAY#<date>#<source>        CostDayItem
    T#<t>                      BUDGET, SPEND#, RES#       tidegate_kit.budget_store

A disconnect raises the account's generation, so that its days are out of reach at once.
"""

from __future__ import annotations

from pynamodb.attributes import BinaryAttribute, NumberAttribute, UnicodeAttribute
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
