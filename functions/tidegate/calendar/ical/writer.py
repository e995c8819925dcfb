"""From events to an iCalendar file (RFC 5545)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from typing import Any

from tidegate.calendar.domain import Content, Event, Moment, read_moment
from tidegate.calendar.ical.dates import read_value, write_value
from tidegate.calendar.ical.guests import email_of, guest_line
from tidegate.calendar.ical.lines import Problems, Property, read_property
from tidegate.calendar.ical.reader import DAY_ZONE
from tidegate.calendar.rules import rule_text
from tidegate.calendar.zones import instant, known_zones

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_HEAD = ("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Tidegate//Calendar//EN", "CALSCALE:GREGORIAN")


def write_calendar(events: Iterable[Event]) -> bytes:
    """The file: UTF-8, CRLF, folded; with a VTIMEZONE for every zone used."""
    from icalendar.parser import Contentline

    rows = sorted(events, key=lambda event: (event.series_id, event.recurrence_id, event.id))
    uids = {event.id: event.ical_uid for event in rows}
    lines: list[str] = list(_HEAD)
    blocks = [_zone_block(name, days) for name, days in sorted(_zones(rows).items())]
    for event in rows:
        lines += _event_lines(event, uids.get(event.series_id, event.ical_uid))
    library: Any = Contentline
    folded: list[bytes] = [library(line).to_ical() for line in lines]
    head = b"\r\n".join(folded[: len(_HEAD)]) + b"\r\n"
    body = b"".join(line + b"\r\n" for line in folded[len(_HEAD) :])
    return head + b"".join(blocks) + body + b"END:VCALENDAR\r\n"


def _zones(events: list[Event]) -> dict[str, tuple[date, date]]:
    used: dict[str, tuple[date, date]] = {}
    for event in events:
        content = event.content
        name = content.time_zone
        if content.all_day or content.floating or name == "UTC" or name not in known_zones():
            continue
        first = instant(content.start, name).date()
        last = instant(content.end, name).date()
        if content.recurrence is not None:
            last = max(last, date(min(first.year + 30, 2999), 1, 1))
        known = used.get(name, (first, last))
        used[name] = (min(known[0], first), max(known[1], last))
    return used


def _zone_block(name: str, days: tuple[date, date]) -> bytes:
    from icalendar import Timezone

    first, last = date(days[0].year - 1, 1, 1), date(days[1].year + 1, 1, 1)
    return bytes(Timezone.from_tzid(name, first_date=first, last_date=last).to_ical())


def _event_lines(event: Event, uid: str) -> Iterator[str]:
    content = event.content
    yield "BEGIN:VEVENT"
    yield f"UID:{_text(uid)}"
    yield f"DTSTAMP:{_stamp(event.updated_at)}"
    yield f"CREATED:{_stamp(event.created_at)}"
    yield f"LAST-MODIFIED:{_stamp(event.updated_at)}"
    yield f"DTSTART{_when(content.start, content)}"
    yield f"DTEND{_when(content.last, content)}"
    if content.all_day and content.time_zone != "UTC":
        yield f"{DAY_ZONE}:{content.time_zone}"
    if event.recurrence_id:
        yield _recurrence_id(event)
    yield f"SUMMARY:{_text(content.title)}"
    if content.description:
        yield f"DESCRIPTION:{_text(content.description)}"
    if content.location:
        yield f"LOCATION:{_text(content.location)}"
    yield f"STATUS:{content.status.upper()}"
    yield from _repetition(content)
    yield from _guests_and_extras(event)
    yield "END:VEVENT"


def _text(value: str) -> str:
    """A TEXT value (RFC 5545 3.3.11)."""
    plain = _CONTROL.sub("", value).replace("\\", "\\\\").replace("\n", "\\n")
    return plain.replace(";", "\\;").replace(",", "\\,")


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def _when(moment: Moment, content: Content) -> str:
    """Parameters and value of a time of this event."""
    if not isinstance(moment, datetime):
        return f";VALUE=DATE:{write_value(moment, 'UTC')}"
    if content.floating:
        return f":{write_value(moment, 'UTC')[:-1]}"
    if content.time_zone == "UTC" or content.time_zone not in known_zones():
        return f":{write_value(moment, 'UTC')}"
    return f";TZID={content.time_zone}:{write_value(moment, content.time_zone)}"


def _recurrence_id(event: Event) -> str:
    return f"RECURRENCE-ID{_when(read_value(event.recurrence_id, 'UTC'), event.content)}"


def _repetition(content: Content) -> Iterator[str]:
    if content.recurrence is not None:
        yield f"RRULE:{rule_text(content.recurrence)}"
    for name, texts in (("EXDATE", content.exdates), ("RDATE", content.rdates)):
        yield from (f"{name}{_when(read_moment(text), content)}" for text in texts)


def _guests_and_extras(event: Event) -> Iterator[str]:
    """Attendees with the parameters they came with, and what was kept uninterpreted."""
    kept: dict[str, Property] = {}
    rest: list[str] = []
    for line in event.extras.split("\n") if event.extras else ():
        one = read_property(0, line, Problems())
        if one is not None and one.name == "ATTENDEE":
            kept[email_of(one)] = one
        elif one is not None:
            rest.append(line)
    for guest in event.content.attendees:
        yield guest_line(guest.email, guest.name, kept.get(guest.email))
    yield from rest
