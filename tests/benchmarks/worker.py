"""A worker function: no web framework, one read."""

from __future__ import annotations

from typing import Any

from pynamodb.attributes import NumberAttribute, UnicodeAttribute
from tidegate_kit.dynamo import Store, Table, configure_store, store_errors
from tidegate_kit.settings import Settings, settings_of

_settings = settings_of(Settings)
configure_store(Store(_settings.table_prefix, _settings.aws_region))


class RowItem(Table):
    """A stored row."""

    class Meta:
        table_name = "findings"

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    name = UnicodeAttribute()
    size = NumberAttribute()


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Read one row."""
    with store_errors():
        row = RowItem.get("T#1", "ROW#1")
    return {"statusCode": 200, "name": row.name}
