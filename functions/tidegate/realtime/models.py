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


class _Keyed(Table):
    class Meta:
        table_name = TABLE

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    expires = NumberAttribute(null=True)


class TicketItem(_Keyed):
    """A ticket; only its hash is stored."""

    class Meta:
        table_name = TABLE

    tenant_id = UnicodeAttribute()
    user_id = UnicodeAttribute()
    session_id = UnicodeAttribute()
    client_id = UnicodeAttribute()
    expires_at = UTCDateTimeAttribute()


class PointerItem(_Keyed):
    """Global: the tenant of a connection, and the list that the sweep reads."""

    class Meta:
        table_name = TABLE

    tenant_id = UnicodeAttribute()


class ConnectionItem(_Keyed):
    """An open socket."""

    class Meta:
        table_name = TABLE

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


class ClientItem(_Keyed):
    """The living connection of a user's client."""

    class Meta:
        table_name = TABLE

    connection_id = UnicodeAttribute()


class CounterItem(_Keyed):
    """The last sequence number given."""

    class Meta:
        table_name = TABLE

    value = NumberAttribute()


class EventItem(_Keyed):
    """An event."""

    class Meta:
        table_name = TABLE

    kind = UnicodeAttribute(default="event")
    sequence = NumberAttribute()
    type = UnicodeAttribute()
    data = JSONAttribute()
    user_id = UnicodeAttribute(null=True)


class SourceItem(_Keyed):
    """A source that was turned into an event."""

    class Meta:
        table_name = TABLE


class ProgressItem(_Keyed):
    """The highest progress told of an execution; 100 is told once and is the last."""

    class Meta:
        table_name = TABLE

    progress = NumberAttribute()
