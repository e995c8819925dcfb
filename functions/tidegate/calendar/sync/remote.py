"""Google's event resources and ours, in both directions.

Source: Google Calendar API v3, reference of the Events resource.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from tidegate_kit.clock import iso

from tidegate.calendar.domain import Attendee, Content, Copy, Moment, Status, moment_text
from tidegate.calendar.drafts import FIRST_YEAR, LAST_YEAR
from tidegate.calendar.ical.dates import google_lines, read_google_lines, read_value, write_value
from tidegate.calendar.zones import known_zones, local

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_ATTENDEES = 100


class Unreadable(Exception):
    """An event resource that is not as Google documents it."""


@dataclass(frozen=True)
class RemoteEvent:
    """An event resource, read. `content` is None for one that was deleted.

    uid: empty where Google does not tell it (deletions); series: Google's id of the series that
    this is a changed occurrence of; recurrence_id: which occurrence. updated: LONG_AGO where Google
    does not tell it (deletions).
    """

    id: str
    etag: str
    updated: datetime
    uid: str
    series: str
    recurrence_id: str
    content: Content | None
    attendees: tuple[dict[str, Any], ...]

    def copy(self, account: str, seen: str) -> Copy:
        """What we remember of it."""
        return Copy(account, self.id, self.etag, self.attendees, seen)


def read_remote(resource: Any, calendar_zone: str) -> RemoteEvent:
    """Read an event resource. Raises Unreadable."""
    try:
        return _read(resource, calendar_zone)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise Unreadable(f"{type(error).__name__}") from error


def _read(resource: Any, calendar_zone: str) -> RemoteEvent:
    series = str(resource.get("recurringEventId", ""))
    deleted = resource.get("status") == "cancelled"
    original = resource.get("originalStartTime")
    recurrence_id = write_value(_moment(original), "UTC") if series and original else ""
    content: Content | None
    if deleted and not recurrence_id:
        content = None
    elif deleted:
        content = _cancelled_occurrence(resource, original, calendar_zone)
    else:
        content = _content(resource, calendar_zone)
    updated = resource.get("updated")
    attendees = resource.get("attendees", [])
    return RemoteEvent(
        id=str(resource["id"]),
        etag=str(resource.get("etag", "")),
        updated=datetime.fromisoformat(updated) if updated else LONG_AGO,
        uid=str(resource.get("iCalUID", "")),
        series=series,
        recurrence_id=recurrence_id,
        content=content,
        attendees=tuple(guest for guest in attendees[:_MAX_ATTENDEES] if "email" in guest),
    )


def _moment(when: Any) -> Moment:
    moment: Moment
    if "date" in when:
        moment = date.fromisoformat(when["date"])
    else:
        given = datetime.fromisoformat(when["dateTime"])
        moment = given.astimezone(UTC) if given.tzinfo else given.replace(tzinfo=UTC)
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise ValueError
    return moment


def _zone(resource: Any, calendar_zone: str) -> str:
    given = str(resource.get("start", {}).get("timeZone", calendar_zone))
    if given not in known_zones():
        given = calendar_zone
    return given if given in known_zones() else "UTC"


def _content(resource: Any, calendar_zone: str) -> Content:
    name = _zone(resource, calendar_zone)
    start, end = _moment(resource["start"]), _moment(resource["end"])
    all_day = not isinstance(start, datetime)
    if all_day != (not isinstance(end, datetime)) or end < start:
        raise ValueError
    rule, exdates, rdates = read_google_lines(resource.get("recurrence", []), name)
    status: Status = "tentative" if resource.get("status") == "tentative" else "confirmed"
    return Content(
        title=str(resource.get("summary", "")),
        start=start,
        end=end,
        description=str(resource.get("description", "")),
        location=str(resource.get("location", "")),
        all_day=all_day,
        time_zone=name,
        attendees=tuple(
            Attendee(str(guest["email"]), guest.get("displayName"))
            for guest in resource.get("attendees", [])[:_MAX_ATTENDEES]
            if "email" in guest
        ),
        recurrence=rule,
        status=status,
        exdates=exdates,
        rdates=rdates,
    )


def _cancelled_occurrence(resource: Any, original: Any, calendar_zone: str) -> Content:
    """Google tells only which occurrence of a series was cancelled."""
    start = _moment(original)
    return Content(
        title=str(resource.get("summary", "")),
        start=start,
        end=start,
        all_day=not isinstance(start, datetime),
        time_zone=_zone({"start": original}, calendar_zone),
        status="cancelled",
    )


def same(ours: Content, theirs: Content) -> bool:
    """Whether both say the same, in the words that Google has."""
    return write_remote(ours, None) == write_remote(theirs, None)


def write_remote(content: Content, copy: Copy | None) -> dict[str, Any]:
    """The fields of an event resource. Guests keep what Google knows of them (their answers)."""
    known = {guest["email"]: guest for guest in copy.attendees} if copy is not None else {}
    return {
        "summary": content.title,
        "description": content.description,
        "location": content.location,
        "start": _when(content.start, content),
        "end": _when(content.last, content),
        "status": content.status,
        "recurrence": google_lines(content),
        "attendees": [_guest(guest, known.get(guest.email)) for guest in content.attendees],
    }


def new_remote(content: Content, google_id: str) -> dict[str, Any]:
    """An event resource to be created under an id of ours."""
    resource = write_remote(content, None)
    for name in ("start", "end"):
        resource[name] = {part: text for part, text in resource[name].items() if text is not None}
    return {**resource, "id": google_id}


def original_start(recurrence_id: str) -> str:
    """The original start of an occurrence, as events.instances takes it."""
    return moment_text(read_value(recurrence_id, "UTC"))


def _when(moment: Moment, content: Content) -> dict[str, Any]:
    # null takes the other form away when an event turns into an all-day one or back.
    if not isinstance(moment, datetime):
        return {"date": moment.isoformat(), "dateTime": None, "timeZone": None}
    name = content.time_zone if content.time_zone in known_zones() else "UTC"
    wall = local(moment, name).isoformat(timespec="seconds")
    text = iso(moment) if name == "UTC" else wall
    return {"date": None, "dateTime": text, "timeZone": name}


def _guest(guest: Attendee, known: dict[str, Any] | None) -> dict[str, Any]:
    merged = {**(known or {}), "email": guest.email}
    if guest.name is not None:
        merged["displayName"] = guest.name
    return merged
