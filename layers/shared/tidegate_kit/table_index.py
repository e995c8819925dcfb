"""The index `gsi1` of the tables: its keys on an item, and how a model reads it.

    class OrderItem(SparselyIndexed, ShopTable):
        open_orders: Gsi1[OrderItem] = Gsi1()

PynamoDB gives each model its own copy of an inherited index, bound to that model.
"""

from __future__ import annotations

from typing import TypeVar

from pynamodb.attributes import UnicodeAttribute
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex
from pynamodb.models import Model

from tidegate_kit.dynamo import Table

M = TypeVar("M", bound=Model)


class Gsi1(GlobalSecondaryIndex[M]):  # type: ignore[no-untyped-call]
    """The index; what its partitions hold is said where a model declares it."""

    class Meta:
        index_name = "gsi1"
        projection = AllProjection()

    gsi1pk = UnicodeAttribute(hash_key=True)
    gsi1sk = UnicodeAttribute(range_key=True)


class Indexed(Table):
    """An item that is always in the index."""

    gsi1pk = UnicodeAttribute()
    gsi1sk = UnicodeAttribute()


class SparselyIndexed(Table):
    """An item that is in the index only while it has both keys."""

    gsi1pk = UnicodeAttribute(null=True)
    gsi1sk = UnicodeAttribute(null=True)
