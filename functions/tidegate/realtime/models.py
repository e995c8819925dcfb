"""Items of the table `realtime`.

- ticket      pk TICKET#<hash>       sk TICKET                 (global, used once)
- pointer     pk CONNECTIONS#<0-7>   sk <connection id>        (global: whose connection)
- connection  pk T#<tid>             sk CONN#<connection id>
- client      pk T#<tid>             sk CLIENT#<uid>#<client>  (the one living connection)
- counter     pk T#<tid>#EVENTS      sk COUNTER
- event       pk T#<tid>#EVENTS      sk EVENT#<sequence, 16 digits>
- source      pk T#<tid>#EVENTS      sk SOURCE#<id>            (a source makes one event)
- progress    pk T#<tid>#EVENTS      sk PROGRESS#<execution>
"""

from __future__ import annotations

from pynamodb.attributes import (
    BooleanAttribute,
    JSONAttribute,
    NumberAttribute,
    UnicodeAttribute,
    UnicodeSetAttribute,
    UTCDateTimeAttribute,
)
from tidegate_kit.dynamo import Table

TABLE = "realtime"


class RealtimeTable(Table):
    """Every item of the table; most have a TTL."""

    class Meta:
        table_name = TABLE

    expires = NumberAttribute(null=True)


class TicketItem(RealtimeTable):
    """A ticket; only its hash is stored."""

    tenant_id = UnicodeAttribute()
    user_id = UnicodeAttribute()
    session_id = UnicodeAttribute()
    client_id = UnicodeAttribute()
    expires_at = UTCDateTimeAttribute()


class PointerItem(RealtimeTable):
    """Global: the tenant of a connection, and the list that the sweep reads."""

    tenant_id = UnicodeAttribute()


class ConnectionItem(RealtimeTable):
    """An open socket."""

    kind = UnicodeAttribute(default="connection")
    id = UnicodeAttribute()
    tenant_id = UnicodeAttribute()
    user_id = UnicodeAttribute()
    client_id = UnicodeAttribute()
    session_id = UnicodeAttribute()
    types = UnicodeSetAttribute(null=True)
    last_sent = NumberAttribute()
    wake = NumberAttribute(default=0)
    truncated = BooleanAttribute(default=False)
    lease_until = UTCDateTimeAttribute(null=True)


class ClientItem(RealtimeTable):
    """The living connection of a user's client."""

    connection_id = UnicodeAttribute()


class CounterItem(RealtimeTable):
    """The last sequence number given."""

    value = NumberAttribute()


class EventItem(RealtimeTable):
    """An event."""

    kind = UnicodeAttribute(default="event")
    sequence = NumberAttribute()
    type = UnicodeAttribute()
    data = JSONAttribute()
    user_id = UnicodeAttribute(null=True)


class SourceItem(RealtimeTable):
    """A source that was turned into an event."""


class ProgressItem(RealtimeTable):
    """The highest progress told of an execution; 100 is told once and is the last."""

    progress = NumberAttribute()
