"""Webhooks and deliveries in the table `integrations`.

- webhooks            pk T#<tid>   sk WEBHOOK#<id>     secrets sealed
- webhook_deliveries  pk T#<tid>   sk DELIVERY#<id>    TTL `expires`
                      gsi1pk T#<tid>#WH#<webhook id>, gsi1sk <created>#<id>
"""

from __future__ import annotations

from pynamodb.attributes import (
    BooleanAttribute,
    JSONAttribute,
    ListAttribute,
    NumberAttribute,
    UnicodeAttribute,
    UTCDateTimeAttribute,
)
from tidegate_kit.table_index import Gsi1, SparselyIndexed

from tidegate.integrations.models import RecordItem


class WebhookItem(RecordItem):
    """A webhook."""

    url = UnicodeAttribute()
    event_types = ListAttribute(of=UnicodeAttribute)
    enabled = BooleanAttribute()
    secret = UnicodeAttribute()
    previous_secret = UnicodeAttribute(null=True)
    rotated_at = UTCDateTimeAttribute(null=True)
    disabled_reason = UnicodeAttribute(null=True)
    delivered_at = UTCDateTimeAttribute(null=True)


class DeliveryItem(SparselyIndexed, RecordItem):
    """A delivery. `kind` and `tenant_id` serve readers of the stream."""

    # A webhook's deliveries by creation.
    by_webhook: Gsi1[DeliveryItem] = Gsi1()
    kind = UnicodeAttribute(default="delivery")
    tenant_id = UnicodeAttribute()
    webhook_id = UnicodeAttribute()
    event_type = UnicodeAttribute()
    url = UnicodeAttribute()
    fixed_url = BooleanAttribute()
    body = UnicodeAttribute(null=True)
    execution_id = UnicodeAttribute(null=True)
    occurred_at = UTCDateTimeAttribute()
    status = UnicodeAttribute()
    attempts = NumberAttribute()
    tries = NumberAttribute()
    round = NumberAttribute()
    restarts = NumberAttribute()
    due_at = UTCDateTimeAttribute()
    last_status_code = NumberAttribute(null=True)
    last_error = UnicodeAttribute(null=True)
    history = JSONAttribute()
    expires = NumberAttribute()
