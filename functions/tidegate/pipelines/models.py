"""PynamoDB models of the `pipelines` table. One physical table, these kinds of items.

    pk                         sk                         kind
    T#<t>                      COSTS#<account>            CostAccountItem
    T#<t>#C#<account>#<gen>    DAY#<date>#<source>        CostDayItem

A disconnect raises the account's generation, so that its days are out of reach at once.
"""

from __future__ import annotations

from pynamodb.attributes import BinaryAttribute, NumberAttribute, UnicodeAttribute
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
