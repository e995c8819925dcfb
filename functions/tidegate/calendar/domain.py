"""Events, tasks, and what is known of their copies at Google. Plain values, no behaviour of I/O."""

from __future__ import annotations

import hashlib
import re
import uuid
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any, Literal

from tidegate_kit.clock import iso

Status = Literal["confirmed", "tentative", "cancelled"]
Source = Literal["local", "google", "ical"]
Priority = Literal["low", "medium", "high"]
TaskStatus = Literal["open", "in_progress", "done"]
Moment = datetime | date

_UUID4 = re.compile(r"[0-9a-f]{12}4[0-9a-f]{3}[89ab][0-9a-f]{15}")
_OWN_UID = re.compile(r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})@tidegate")
_PUSHED_UID = re.compile(r"([0-9a-f]{32})(?:r[0-9a-f]+)?@google\.com")


@dataclass(frozen=True)
class Attendee:
    """A guest."""

    email: str
    name: str | None = None

    def as_dict(self) -> dict[str, str | None]:
        """The wire shape."""
        return {"email": self.email, "name": self.name}


@dataclass(frozen=True)
class Content:
    """What an event says: the part that is compared, imported, exported and synced.

    start, end: UTC instants, or dates if all_day; `end` is exclusive as in iCalendar, and an
    all-day event whose end is its start lasts that one day. recurrence: an RRULE value, in
    `time_zone`. exdates, rdates: instants or dates as text, taken from and added to the rule.
    floating: the times name no zone (RFC 5545 3.3.5, form 1); they are stored as if in UTC.
    """

    title: str
    start: Moment
    end: Moment
    description: str = ""
    location: str = ""
    all_day: bool = False
    time_zone: str = "UTC"
    attendees: tuple[Attendee, ...] = ()
    recurrence: str | None = None
    status: Status = "confirmed"
    exdates: tuple[str, ...] = ()
    rdates: tuple[str, ...] = ()
    floating: bool = False

    @property
    def last(self) -> Moment:
        """The exclusive end as calendars understand it: never before the first day is over."""
        if self.all_day and self.end == self.start:
            return self.start + timedelta(days=1)
        return self.end


@dataclass(frozen=True)
class Copy:
    """The event at Google as last seen: in whose calendar, under which id, in which version.

    attendees: Google's own entries (they hold the answers of guests); seen: the full sync that
    last met it; gone: it was deleted there, and our newer copy is to be restored.
    """

    account: str
    id: str
    etag: str
    attendees: tuple[dict[str, Any], ...] = ()
    seen: str = ""
    gone: bool = False


@dataclass(frozen=True)
class Event:
    """A stored event. `version` counts its writes; `uid` is its iCalendar UID."""

    id: str
    content: Content
    created_at: datetime
    updated_at: datetime
    uid: str = ""
    recurrence_id: str = ""
    source: Source = "local"
    external_id: str | None = None
    extras: str = ""
    version: int = 1
    copy: Copy | None = None

    @property
    def series_id(self) -> str:
        """The id of the series that this belongs to; its own, unless it is one occurrence."""
        return event_id_of(self.ical_uid) if self.recurrence_id else self.id

    @property
    def ical_uid(self) -> str:
        """The UID for iCalendar files; a local event has one of ours."""
        return self.uid or f"{self.id}@tidegate"

    def copy_of(self, account: str) -> Copy | None:
        """The copy in this account's calendar, if there is one."""
        return self.copy if self.copy is not None and self.copy.account == account else None

    def changed(self, content: Content, now: datetime) -> Event:
        """With other content."""
        return replace(self, content=content, updated_at=now)


@dataclass(frozen=True)
class Push:
    """A local change that Google has not been told yet; written with the change itself.

    change: names this change, so that only its own delivery clears it. For a deletion `copy` says
    what is to be deleted. parked: why Google refuses this change; it rests until the next one.
    """

    event_id: str
    kind: Literal["upsert", "delete"]
    change: str
    at: datetime
    copy: Copy | None = None
    child: bool = False
    parked: str = ""


@dataclass(frozen=True)
class Task:
    """A stored task."""

    id: str
    title: str
    created_at: datetime
    updated_at: datetime
    description: str = ""
    due: datetime | None = None
    time_zone: str = "UTC"
    priority: Priority = "medium"
    status: TaskStatus = "open"
    completed_at: datetime | None = None
    version: int = 1


@dataclass(frozen=True)
class Connection:
    """The user's authorisation at Google, and how far the sync has come.

    access_token, refresh_token: sealed. account: whose calendar it is. sync_token: where the next
    incremental sync starts; page_token: where an unfinished round goes on; full: the name of an
    unfinished full sync. lease: who syncs now, until lease_until.
    """

    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    scopes: tuple[str, ...]
    expires_at: datetime
    account: str
    created_at: datetime
    updated_at: datetime
    needs_reconnect: bool = False
    last_error: str | None = None
    sync_token: str | None = None
    page_token: str | None = None
    full: str | None = None
    lease: str | None = None
    lease_until: datetime | None = None
    version: int = 1


@dataclass(frozen=True)
class PendingOAuth:
    """An authorisation that was started: single use, bound to the session that started it."""

    session_id: str
    redirect_uri: str
    verifier: str = field(repr=False)
    nonce: str
    provider: str
    expires_at: datetime


def moment_text(moment: Moment) -> str:
    """An instant as ISO 8601 with Z, or a date as YYYY-MM-DD."""
    return iso(moment) if isinstance(moment, datetime) else moment.isoformat()


def read_moment(text: str) -> Moment:
    """The opposite of `moment_text`; also reads stored microseconds."""
    return datetime.fromisoformat(text) if "T" in text else date.fromisoformat(text)


def stored_moment(moment: Moment) -> str:
    """As `moment_text`, with microseconds (GEN-10)."""
    return moment.isoformat()


def digest_id(*parts: str) -> str:
    """An id in the form of a UUID4, the same for the same parts."""
    raw = hashlib.sha256("\x00".join(parts).encode()).digest()[:16]
    return str(uuid.UUID(bytes=raw, version=4))


def event_id_of(uid: str, recurrence_id: str = "") -> str:
    """The id of the event with this UID: one UID, one key, so no race stores it twice.

    Our own UIDs, and those that Google makes of ids that we chose, lead back to the event.
    `recurrence_id`: a changed occurrence of that series (UTC, as in iCalendar).
    """
    own = _OWN_UID.fullmatch(uid) or _PUSHED_UID.fullmatch(uid)
    if own is not None and _UUID4.fullmatch(own[1].replace("-", "")):
        series = str(uuid.UUID(own[1]))
    else:
        series = digest_id("event", uid)
    return digest_id("occurrence", series, recurrence_id) if recurrence_id else series


def google_id_of(event_id: str, again: int = 0) -> str:
    """The id under which we create an event at Google (base32hex, so hexadecimal fits).

    Chosen by us, so that creating it twice meets itself. `again`: a deleted id is never reused.
    """
    plain = event_id.replace("-", "")
    return f"{plain}r{again:x}" if again else plain
