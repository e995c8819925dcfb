"""Items of the platform table (health) and of the table `metrics`.

health marker   pk HEALTH                       sk MARKER                (platform, global)
health state    pk HEALTH                       sk STATE                 (platform, global)
alert           pk ALERTS                       sk <name>                (platform, global)
total           <scope>#TOTAL                   sk <kind>                (metrics)
cell            <scope>#<kind>#<size>#<label>   sk <start>#<value>       (metrics) TTL
counted         <scope>#COUNTED#<day>           sk <kind>#<id>           (metrics) TTL

<scope> is T#<tenant> or, for the platform's own sums, PLATFORM#<shard> (global).
"""

from __future__ import annotations

from typing import Any, Self

from pynamodb.attributes import (
    JSONAttribute,
    NumberAttribute,
    UnicodeAttribute,
    UTCDateTimeAttribute,
)
from tidegate_kit.dynamo import Table

MARKER_PK = "HEALTH"
MARKER_SK = "MARKER"
STATE_SK = "STATE"
ALERTS_PK = "ALERTS"
CLASS_PREFIX = "c"


class HealthMarkerItem(Table):
    """Global, one a table: which stage writes here. TTL: `expires`."""

    class Meta:
        table_name = "platform"

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    stage = UnicodeAttribute()
    arn = UnicodeAttribute()
    writes = NumberAttribute(default=0)
    expires = NumberAttribute()


class HealthStateItem(Table):
    """Global: the health last told; `change` counts the changes."""

    class Meta:
        table_name = "platform"

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    status = UnicodeAttribute()
    message = UnicodeAttribute()
    change = NumberAttribute()
    told = NumberAttribute(default=0)


class AlertItem(Table):
    """Global: something an operator should look at; existing means open."""

    class Meta:
        table_name = "platform"

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    severity = UnicodeAttribute()
    message = UnicodeAttribute()
    data = JSONAttribute(null=True)


class CellItem(Table):
    """Sums; the histogram's classes are attributes `c<n>`, so that each can be added to."""

    class Meta:
        table_name = "metrics"

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    measured = NumberAttribute(default=0)
    failed = NumberAttribute(default=0)
    micros = NumberAttribute(default=0)
    cost_nanos = NumberAttribute(default=0)
    tokens = NumberAttribute(default=0)
    expires = NumberAttribute(null=True)
    classes: dict[int, int]

    @classmethod
    def from_raw_data(cls, data: dict[str, Any]) -> Self:
        item = super().from_raw_data(data)
        item.classes = {
            int(name[1:]): int(value["N"])
            for name, value in data.items()
            if name[0] == CLASS_PREFIX and name[1:].isdigit()
        }
        return item


class CountedItem(Table):
    """A measurement that was counted: whoever brings it again finds it here."""

    class Meta:
        table_name = "metrics"

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    kind = UnicodeAttribute()
    at = UTCDateTimeAttribute()
    failed = NumberAttribute()
    micros = NumberAttribute()
    cost_nanos = NumberAttribute()
    tokens = NumberAttribute()
    expires = NumberAttribute()
