"""From an iCalendar file to events; every problem with its line, and no event if there is one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from tidegate.calendar.domain import Attendee, Content, Moment, Status
from tidegate.calendar.drafts import FIRST_YEAR, LAST_YEAR
from tidegate.calendar.errors import BadCalendarFile
from tidegate.calendar.ical.dates import read_value, read_values, write_value
from tidegate.calendar.ical.guests import email_of, guest_line
from tidegate.calendar.ical.lines import Component, Problems, Property, read_tree
from tidegate.calendar.ical.tzids import ZoneNames
from tidegate.calendar.rules import read_rule
from tidegate.calendar.zones import known_zones, local, zone

MAX_EVENTS = 5000
MAX_ATTENDEES = 100
MAX_EVENT_BYTES = 200_000
MAX_DATES = 1000
_MAX_UID_CHARS = 1000
_ONCE = (
    "UID", "DTSTART", "DTEND", "DURATION", "RECURRENCE-ID", "RRULE", "SUMMARY", "DESCRIPTION",
    "LOCATION", "STATUS",
)  # fmt: skip
DAY_ZONE = "X-TIDEGATE-TIME-ZONE"
_MADE = frozenset({*_ONCE, DAY_ZONE, "EXDATE", "RDATE", "DTSTAMP", "CREATED", "LAST-MODIFIED"})
_STATUS: dict[str, Status] = {"TENTATIVE": "tentative", "CANCELLED": "cancelled"}


@dataclass(frozen=True)
class Incoming:
    """An event of a file. extras: the lines that we keep but do not interpret."""

    uid: str
    recurrence_id: str
    content: Content
    extras: str
    sequence: int


@dataclass(frozen=True)
class Reading:
    """The events of a file, and how many of its components are not events."""

    events: tuple[Incoming, ...]
    others: int


class _Wrong(Exception):
    """A property that cannot be read."""

    def __init__(self, line: int, message: str) -> None:
        self.line = line
        self.message = message


def read_calendar(data: bytes) -> Reading:
    """The events of a file. Raises BadCalendarFile naming every line that is wrong."""
    problems = Problems()
    events: list[Incoming] = []
    others = 0
    calendars = read_tree(data, problems)
    for calendar in calendars:
        zones = ZoneNames.of(calendar)
        for part in calendar.children:
            if part.name == "VEVENT":
                events += _events(part, zones, problems)
            elif part.name != "VTIMEZONE":
                others += 1
            if len(events) > MAX_EVENTS:
                problems.add(part.line, f"the file holds more than {MAX_EVENTS} events")
                raise BadCalendarFile(problems)
    if problems:
        raise BadCalendarFile(sorted(problems))
    return Reading(tuple(events), others)


def _events(part: Component, zones: ZoneNames, problems: Problems) -> Iterator[Incoming]:
    try:
        yield _Event(part, zones).read()
    except _Wrong as wrong:
        problems.add(wrong.line, wrong.message)


class _Event:
    """One VEVENT."""

    def __init__(self, part: Component, zones: ZoneNames) -> None:
        self._part = part
        self._zones = zones
        self._found = {name: self._once(name) for name in _ONCE}

    def read(self) -> Incoming:
        """The event. Raises _Wrong."""
        start, name, floating = self._start()
        end = self._end(start, name)
        recurrence_id = self._recurrence_id(name)
        content = Content(
            title=self._text("SUMMARY"),
            start=start,
            end=end,
            description=self._text("DESCRIPTION"),
            location=self._text("LOCATION"),
            all_day=not isinstance(start, datetime),
            time_zone=name,
            attendees=self._attendees(),
            recurrence=self._rule(),
            status=_STATUS.get(self._text("STATUS").strip().upper(), "confirmed"),
            exdates=self._dates("EXDATE", name),
            rdates=self._dates("RDATE", name),
            floating=floating,
        )
        extras = "\n".join(self._extras())
        size = len(extras.encode()) + len(content.description.encode())
        if size + len(content.title.encode()) + len(content.location.encode()) > MAX_EVENT_BYTES:
            raise _Wrong(self._part.line, f"the event is larger than {MAX_EVENT_BYTES} bytes")
        return Incoming(self._uid(), recurrence_id, content, extras, self._sequence())

    def _once(self, name: str) -> Property | None:
        found = list(self._part.each(name))
        if len(found) > 1:
            raise _Wrong(found[1].line, f"{name} is given twice")
        return found[0] if found else None

    def _text(self, name: str) -> str:
        one = self._found[name]
        return one.plain if one is not None else ""

    def _uid(self) -> str:
        one = self._found["UID"]
        uid = one.plain.strip() if one is not None else ""
        if not uid or len(uid) > _MAX_UID_CHARS:
            line = one.line if one is not None else self._part.line
            raise _Wrong(line, f"an event needs a UID of 1 to {_MAX_UID_CHARS} characters")
        return uid

    def _sequence(self) -> int:
        one = self._part.first("SEQUENCE")
        text = one.value.strip() if one is not None else ""
        return int(text[:9]) if text.isascii() and text.isdigit() else 0

    def _zone_of(self, one: Property) -> str | None:
        """The zone of a time: UTC, one that is told, the file's default, or None (floating)."""
        if one.value.strip().upper().endswith("Z"):
            return "UTC"
        tzid = one.parameters.get("TZID")
        if tzid is None:
            return self._zones.default
        year = one.value.strip()[:4]
        name = self._zones.resolve(tzid, int(year) if year.isdigit() and year > "1900" else 2020)
        if name is None:
            raise _Wrong(one.line, "TZID names no known time zone, nor one that the file defines")
        return name

    def _moment(self, one: Property, name: str) -> Moment:
        try:
            moment = read_value(one.value, name)
        except ValueError as error:
            raise _Wrong(one.line, f"{one.name} {error}") from None
        is_date = not isinstance(moment, datetime)
        told = one.parameters.get("VALUE", "").upper()
        if told not in {"", "DATE", "DATE-TIME"} or (told == "DATE" and not is_date):
            raise _Wrong(one.line, f"{one.name} is not of the type that VALUE tells")
        if not FIRST_YEAR <= moment.year <= LAST_YEAR:
            raise _Wrong(one.line, f"{one.name} is not in the years {FIRST_YEAR} to {LAST_YEAR}")
        return moment

    def _start(self) -> tuple[Moment, str, bool]:
        one = self._found["DTSTART"]
        if one is None:
            raise _Wrong(self._part.line, "an event needs DTSTART")
        name = self._zone_of(one)
        moment = self._moment(one, name or "UTC")
        own = self._part.first(DAY_ZONE)
        if own is not None and own.value in known_zones() and not isinstance(moment, datetime):
            name = own.value  # a date tells no zone, so our own files do
        return moment, name or "UTC", name is None and isinstance(moment, datetime)

    def _end(self, start: Moment, name: str) -> Moment:
        one, lasting = self._found["DTEND"], self._found["DURATION"]
        if one is not None and lasting is not None:
            raise _Wrong(lasting.line, "DURATION and DTEND exclude each other")
        if lasting is not None:
            return _after(start, name, lasting)
        if one is None:
            return start if isinstance(start, datetime) else start + timedelta(days=1)
        end = self._moment(one, self._zone_of(one) or name)
        if isinstance(end, datetime) != isinstance(start, datetime):
            raise _Wrong(one.line, "DTEND and DTSTART must both be dates, or both have a time")
        if end < start:
            raise _Wrong(one.line, "DTEND is before DTSTART")
        return end

    def _recurrence_id(self, name: str) -> str:
        one = self._found["RECURRENCE-ID"]
        if one is None:
            return ""
        if "RANGE" in one.parameters:
            raise _Wrong(one.line, "RANGE is not supported")
        return write_value(self._moment(one, self._zone_of(one) or name), "UTC")

    def _rule(self) -> str | None:
        one = self._found["RRULE"]
        if one is None:
            return None
        try:
            read_rule(one.value)
        except ValueError as error:
            raise _Wrong(one.line, f"RRULE {error}") from None
        return one.value.strip()

    def _dates(self, kind: str, name: str) -> tuple[str, ...]:
        dates: tuple[str, ...] = ()
        for one in self._part.each(kind):
            if one.parameters.get("VALUE", "").upper() == "PERIOD":
                raise _Wrong(one.line, "periods are not supported")
            try:
                dates += read_values(one.value, self._zone_of(one) or name)
            except ValueError as error:
                raise _Wrong(one.line, f"{kind} {error}") from None
            if len(dates) > MAX_DATES:
                raise _Wrong(one.line, f"more than {MAX_DATES} dates")
        return dates

    def _attendees(self) -> tuple[Attendee, ...]:
        guests: list[Attendee] = []
        for one in self._part.each("ATTENDEE"):
            if len(guests) == MAX_ATTENDEES:
                raise _Wrong(one.line, f"more than {MAX_ATTENDEES} attendees")
            guests.append(Attendee(email_of(one), one.parameters.get("CN") or None))
        return tuple(guests)

    def _extras(self) -> Iterator[str]:
        # In the order and form of the export, so that our own file is known again.
        for one in self._part.each("ATTENDEE"):
            if one.parameters.keys() - {"CN"}:
                yield guest_line(email_of(one), one.parameters.get("CN") or None, one)
        for one in self._part.properties:
            if one.name not in _MADE and one.name != "ATTENDEE":
                yield one.text
        for child in self._part.children:
            yield from child.lines()


def _after(start: Moment, name: str, lasting: Property) -> Moment:
    """The end by DURATION: whole days on the wall clock, the rest exactly (RFC 5545 3.3.6)."""
    from icalendar.prop import vDuration

    try:
        library: Any = vDuration
        duration: timedelta = library.from_ical(lasting.value.strip())
        days, rest = timedelta(days=duration.days), timedelta(seconds=duration.seconds)
        if not isinstance(start, datetime):
            end: date = start + days
            fits = not rest
        else:
            wall = local(start, name).replace(tzinfo=None) + days
            end = wall.replace(tzinfo=zone(name)).astimezone(UTC) + rest
            fits = True
    except (ValueError, OverflowError):
        raise _Wrong(lasting.line, "DURATION is not a duration") from None
    if duration < timedelta() or not fits or end.year > LAST_YEAR:
        raise _Wrong(lasting.line, "DURATION does not fit DTSTART")
    return end
