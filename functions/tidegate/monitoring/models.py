"""The health marker in the platform table (DATA-1, `health_markers`)."""

from __future__ import annotations

from pynamodb.attributes import NumberAttribute, UnicodeAttribute
from tidegate_kit.dynamo import Table

MARKER_PK = "HEALTH"
MARKER_SK = "MARKER"


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
