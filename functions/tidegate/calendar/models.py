"""Items of the table `calendar`: everything of one user in one partition.

calendar_events     sk EVENT#<id>          an event
                    sk PUSH#<event id>     a local change that Google has not been told yet
                    sk LINK#<hash>         the UID behind a Google id that does not tell it
calendar_tasks      sk TASK#<id>           a task
user_oauth_tokens   sk OAUTH#<provider>    the authorisation and the state of the sync
                    sk STATE#<hash>        an authorisation that was started (TTL)
"""

from __future__ import annotations

from pynamodb.attributes import (
    BooleanAttribute,
    JSONAttribute,
    NumberAttribute,
    UnicodeAttribute,
    UTCDateTimeAttribute,
)
from tidegate_kit.dynamo import Table


class CalendarTable(Table):
    """Keys of the table."""

    class Meta:
        table_name = "calendar"


class EventItem(CalendarTable):
    """An event. Everything beyond id, title, start and end may be missing in older items."""

    id = UnicodeAttribute()
    title = UnicodeAttribute()
    start = UnicodeAttribute()
    end = UnicodeAttribute()
    description = UnicodeAttribute(null=True)
    location = UnicodeAttribute(null=True)
    all_day = BooleanAttribute(null=True)
    time_zone = UnicodeAttribute(null=True)
    attendees = JSONAttribute(null=True)
    recurrence = UnicodeAttribute(null=True)
    status = UnicodeAttribute(null=True)
    exdates = JSONAttribute(null=True)
    rdates = JSONAttribute(null=True)
    floating = BooleanAttribute(null=True)
    uid = UnicodeAttribute(null=True)
    recurrence_id = UnicodeAttribute(null=True)
    source = UnicodeAttribute(null=True)
    external_id = UnicodeAttribute(null=True)
    extras = UnicodeAttribute(null=True)
    google = JSONAttribute(null=True)
    version = NumberAttribute(null=True)


class PushItem(CalendarTable):
    """A local change for Google."""

    event_id = UnicodeAttribute()
    kind = UnicodeAttribute()
    change = UnicodeAttribute()
    at = UTCDateTimeAttribute()
    google = JSONAttribute(null=True)
    child = BooleanAttribute(default=False)
    parked = UnicodeAttribute(null=True)


class LinkItem(CalendarTable):
    """From Google's id of an event to its UID."""

    google_id = UnicodeAttribute()
    uid = UnicodeAttribute()


class TaskItem(CalendarTable):
    """A task."""

    id = UnicodeAttribute()
    title = UnicodeAttribute()
    description = UnicodeAttribute(null=True)
    due = UTCDateTimeAttribute(null=True)
    time_zone = UnicodeAttribute(null=True)
    priority = UnicodeAttribute(null=True)
    status = UnicodeAttribute(null=True)
    completed_at = UTCDateTimeAttribute(null=True)
    version = NumberAttribute(null=True)


class ConnectionItem(CalendarTable):
    """The authorisation at Google; tokens sealed."""

    access_token = UnicodeAttribute()
    refresh_token = UnicodeAttribute(null=True)
    scopes = JSONAttribute()
    expires_at = UTCDateTimeAttribute()
    account = UnicodeAttribute()
    needs_reconnect = BooleanAttribute(default=False)
    last_error = UnicodeAttribute(null=True)
    sync_token = UnicodeAttribute(null=True)
    page_token = UnicodeAttribute(null=True)
    full = UnicodeAttribute(null=True)
    lease = UnicodeAttribute(null=True)
    lease_until = UTCDateTimeAttribute(null=True)
    version = NumberAttribute()


class StateItem(CalendarTable):
    """A started authorisation. TTL `expires`."""

    session_id = UnicodeAttribute()
    redirect_uri = UnicodeAttribute()
    verifier = UnicodeAttribute()
    nonce = UnicodeAttribute()
    provider = UnicodeAttribute()
    expires_at = UTCDateTimeAttribute()
    expires = NumberAttribute()
