"""iCalendar files: what is kept of real ones, and what is said of bad ones (CAL-4)."""

from __future__ import annotations

import importlib.resources
import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import icalendar
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tidegate.calendar.domain import Attendee, Event
from tidegate.calendar.errors import BadCalendarFile
from tidegate.calendar.ical.reader import MAX_ATTENDEES, MAX_EVENTS, Incoming, read_calendar
from tidegate.calendar.ical.writer import write_calendar

from tests.builders.calendar import START, content
from tests.fakes.recorded import vectors

FILES = sorted((Path(__file__).parents[2] / "data" / "ics").glob("*.ics"))
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def stored(one: Incoming) -> Event:
    """As an import stores it."""
    return Event(
        f"{one.uid}{one.recurrence_id}", one.content, NOW, NOW, uid=one.uid,
        recurrence_id=one.recurrence_id, source="ical", extras=one.extras,
    )  # fmt: skip


def exported(data: bytes) -> bytes:
    return write_calendar([stored(one) for one in read_calendar(data).events])


def facts(data: bytes) -> list[dict[str, Any]]:
    """What CAL-4 promises to keep, as the icalendar library reads it."""
    calendar: Any = icalendar.Calendar.from_ical(data)
    found = []
    for event in calendar.walk("VEVENT"):
        start = event["DTSTART"].dt
        zone = getattr(getattr(start, "tzinfo", None), "key", None) or str(
            getattr(start, "tzinfo", None)
        )
        rule = event.get("RRULE")
        found.append(
            {
                "uid": str(event["UID"]),
                "start": _instant(start),
                "end": _instant(event.end),
                "zone": zone,
                "rule": sorted((name, str(value)) for name, value in (rule or {}).items()),
                "exdates": _dates(event, "EXDATE"),
                "rdates": _dates(event, "RDATE"),
                "recurrence_id": _instant(event["RECURRENCE-ID"].dt)
                if "RECURRENCE-ID" in event
                else None,
                "summary": str(event.get("SUMMARY", "")),
                "description": str(event.get("DESCRIPTION", "")),
                "location": str(event.get("LOCATION", "")),
                "attendees": sorted(_attendees(event)),
                "status": str(event.get("STATUS", "CONFIRMED")),
                "others": sorted(name for name in event if _kept(name)),
                "alarms": len(list(event.walk("VALARM"))),
            }
        )  # fmt: skip
    return sorted(found, key=lambda one: (one["uid"], str(one["recurrence_id"])))


_KEPT = {
    "ORGANIZER", "CATEGORIES", "URL", "GEO", "TRANSP", "CLASS", "PRIORITY", "COMMENT", "SEQUENCE",
}  # fmt: skip


def _kept(name: str) -> bool:
    return name in _KEPT or (name.startswith("X-") and not name.startswith("X-TIDEGATE-"))


def _instant(moment: date | datetime) -> str:
    if isinstance(moment, datetime) and moment.tzinfo is not None:
        moment = moment.astimezone(UTC)
    return moment.isoformat()


def _dates(event: Any, name: str) -> list[str]:
    given_lines = event.get(name, [])
    lines = given_lines if isinstance(given_lines, list) else [given_lines]
    return sorted(_instant(one.dt) for line in lines for one in line.dts)


def _attendees(event: Any) -> list[str]:
    given_lines = event.get("ATTENDEE", [])
    lines = given_lines if isinstance(given_lines, list) else [given_lines]
    return [
        f"{str(one).lower()} {sorted((k, str(v)) for k, v in one.params.items())}" for one in lines
    ]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_cal_4_a_round_trip_keeps_uid_times_zone_and_recurrence(path: Path) -> None:
    data = path.read_bytes()
    once = exported(data)
    before = facts(_library_form(data))
    for one in before:
        one["zone"] = _iana(one["zone"])
    assert facts(once) == before
    assert read_calendar(once) == read_calendar(exported(once))  # and again, with nothing lost
    first = {(one.uid, one.recurrence_id): one.extras for one in read_calendar(data).events}
    again = {(one.uid, one.recurrence_id): one.extras for one in read_calendar(once).events}
    assert again == first
    assert [one.content for one in read_calendar(once).events] == sorted_contents(data)


def sorted_contents(data: bytes) -> list[Any]:
    again = read_calendar(exported(data)).events
    by_key = {(one.uid, one.recurrence_id): one.content for one in read_calendar(data).events}
    return [by_key[(one.uid, one.recurrence_id)] for one in again]


def _library_form(data: bytes) -> bytes:
    # The library does not unfold inside characters, nor know the zones that files define.
    data = data.replace(b"\r\n ", b"").replace(b"Customized Time Zone 1", b"Australia/Sydney")
    return data.replace(b"(UTC+05:45) Kathmandu", b"Asia/Katmandu").replace(
        b"/freeassociation.sourceforge.net/", b""
    )


def _iana(zone: str) -> str:
    return "Europe/Berlin" if "W. Europe Standard Time" in zone else zone


def test_the_export_is_well_formed() -> None:
    data = b"".join(exported(path.read_bytes()) for path in FILES)
    lines = data.split(b"\r\n")
    assert all(len(line) <= 75 for line in lines)
    assert b"\n" not in data.replace(b"\r\n", b"")
    data.decode()


def test_zones_of_all_spellings() -> None:
    zones = {}
    for path in FILES:
        for one in read_calendar(path.read_bytes()).events:
            zones[one.uid[:12]] = one.content.time_zone
    assert zones["040000008200"] == "Europe/Berlin"
    assert zones["sydney@examp"] == "Australia/Sydney"
    assert zones["kathmandu@ex"] == "Asia/Katmandu"  # the name that Windows' zone is mapped to
    assert zones["prefix@examp"] == "Europe/Vienna"
    assert zones["until@recurr"] == "UTC"


def test_durations_are_days_on_the_wall_clock_and_the_rest_exactly() -> None:
    """The night to 2026-10-25 has 25 hours in Paris."""
    events = read_calendar((FILES[0].parent / "apple.ics").read_bytes()).events
    (through,) = [one for one in events if one.content.title.startswith("Through")]
    assert through.content.start == datetime(2026, 10, 24, 21, tzinfo=UTC)
    assert through.content.end == datetime(2026, 10, 25, 23, tzinfo=UTC)


def test_attendees_with_names_and_parameters() -> None:
    (one,) = read_calendar((FILES[0].parent / "attendees.ics").read_bytes()).events
    assert one.content.attendees == (
        Attendee("maria@example.com", "Núñez, María"),
        Attendee("carol@example.com"),
        Attendee("plain@example.com", "Plain"),
        Attendee("bare@example.com"),
        Attendee("caret@example.com", 'O"Brien" ^ Co'),
    )


def event_lines(*lines: str, uid: str = "a@b") -> list[str]:
    return ["BEGIN:VCALENDAR", "BEGIN:VEVENT", f"UID:{uid}", *lines, "END:VEVENT", "END:VCALENDAR"]


def problems_of(lines: list[str] | bytes, end: str = "\r\n") -> list[tuple[int, str]]:
    data = lines if isinstance(lines, bytes) else (end.join(lines) + end).encode()
    with pytest.raises(BadCalendarFile) as bad:
        read_calendar(data)
    return list(bad.value.problems)


START_LINE = "DTSTART:20260101T090000Z"


@pytest.mark.parametrize(
    ("lines", "line"),
    [
        (["DTSTART:tomorrow"], 4),
        (["DTSTART:20260230T090000Z"], 4),
        (["DTSTART;TZID=Mars/Olympus:20260101T090000"], 4),
        (["DTSTART;VALUE=DATE:20260101T090000Z"], 4),
        (["DTSTART:99990101T090000Z"], 4),
        (["SUMMARY:no start"], 2),
        ([START_LINE, "DTEND:20260101T080000Z"], 5),
        ([START_LINE, "DTEND;VALUE=DATE:20260102"], 5),
        ([START_LINE, "DTEND:20260101T100000Z", "DURATION:PT1H"], 6),
        ([START_LINE, "DURATION:one hour"], 5),
        ([START_LINE, "DURATION:-PT1H"], 5),
        ([START_LINE, "RRULE:FREQ=SOMETIMES"], 5),
        ([START_LINE, "RRULE:FREQ=DAILY;COUNT=1;UNTIL=20260102"], 5),
        ([START_LINE, "RRULE:FREQ=DAILY", "RRULE:FREQ=DAILY"], 6),
        ([START_LINE, "EXDATE:never"], 5),
        ([START_LINE, "RDATE;VALUE=PERIOD:20260101T090000Z/PT1H"], 5),
        ([START_LINE, "RECURRENCE-ID;RANGE=THISANDFUTURE:20260101T090000Z"], 5),
        ([START_LINE, "not a content line"], 5),
        ([START_LINE, "SUMMARY:a\x00b"], 5),
        ([START_LINE, "SUMMARY:folded", " and \x1b bad"], 6),
        ([START_LINE, "END:VTODO"], 5),
        ([START_LINE, START_LINE], 5),
        ([START_LINE, *[f"ATTENDEE:mailto:a{n}@x" for n in range(MAX_ATTENDEES + 1)]], 105),
        ([START_LINE, "DESCRIPTION:" + "x" * 250_000], 2),
    ],
)
def test_a_bad_file_names_its_line(lines: list[str], line: int) -> None:
    assert problems_of(event_lines(*lines))[0][0] == line
    assert problems_of(event_lines(*lines), "\n")[0][0] == line


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"", 1),
        (b"\r\n\r\n", 1),
        (b"{}", 1),
        (b"BEGIN:VEVENT\r\nEND:VEVENT\r\n", 1),
        (b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:a\r\n" + START_LINE.encode(), 1),
        (b"BEGIN:VCALENDAR\r\nX-A:\xff\r\nEND:VCALENDAR\r\n", 2),
        (b"BEGIN:VCALENDAR\r\nX-A:ab\r\n c\xff\r\nEND:VCALENDAR\r\n", 3),
        (b"BEGIN:VCALENDAR\r\n" * 50, 1),
        (b"END:VCALENDAR\r\n", 1),
    ],
)
def test_what_is_no_calendar_names_its_line(data: bytes, line: int) -> None:
    assert min(problems_of(data))[0] == line


def test_every_problem_is_told_at_once() -> None:
    lines = event_lines("DTSTART:x")[:-1] + event_lines("DTSTART:y")[1:]
    assert [line for line, _ in problems_of(lines)] == [4, 8]


def test_messages_do_not_quote_the_file() -> None:
    problems = problems_of(event_lines("DTSTART:marker-7", "RRULE:marker-7"))
    assert not any("marker-7" in message for _, message in problems)


def test_the_limit_of_events() -> None:
    one = f"BEGIN:VEVENT\r\nUID:%d\r\n{START_LINE}\r\nEND:VEVENT\r\n"
    head, tail = "BEGIN:VCALENDAR\r\n", "END:VCALENDAR\r\n"
    just = (head + "".join(one % n for n in range(MAX_EVENTS)) + tail).encode()
    assert len(read_calendar(just).events) == MAX_EVENTS
    problems_of((head + "".join(one % n for n in range(MAX_EVENTS + 1)) + tail).encode())


def test_what_is_not_an_event_is_counted() -> None:
    data = b"BEGIN:VCALENDAR\r\nBEGIN:VTODO\r\nUID:t\r\nEND:VTODO\r\nEND:VCALENDAR\r\n"
    assert (read_calendar(data).events, read_calendar(data).others) == ((), 1)


@pytest.mark.parametrize(
    "rule",
    ["FREQ=SECONDLY", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30"],
)
def test_hostile_zone_rules_cost_nothing(rule: str) -> None:
    """A VTIMEZONE whose rule never matches, or always, is answered at once."""
    zone = ["BEGIN:VTIMEZONE", "TZID:X"]
    for _ in range(500):
        zone += ["BEGIN:STANDARD", "DTSTART:19700101T000000", "TZOFFSETFROM:+0100",
                 "TZOFFSETTO:+0107", f"RRULE:{rule}", "END:STANDARD"]  # fmt: skip
    lines = event_lines("DTSTART;TZID=X:20260101T090000")
    started = datetime.now(UTC)
    problems_of([lines[0], *zone, "END:VTIMEZONE", *lines[1:]])
    assert (datetime.now(UTC) - started).total_seconds() < 5


def test_other_peoples_calendars_are_read_or_refused_with_lines() -> None:
    """The test files of the icalendar library: broken ones, fuzz finds, foreign producers."""
    folder = Path(str(importlib.resources.files("icalendar"))) / "tests" / "calendars"
    outcomes = Counter(_survives(path) for path in folder.iterdir() if path.suffix == ".ics")
    assert outcomes[True] >= 57
    assert outcomes[False] > 5


def _survives(path: Any) -> bool:
    """True if the file is read and survives a round trip, False if it is refused with lines."""
    data = path.read_bytes()
    try:
        reading = read_calendar(data)
    except BadCalendarFile as bad:
        problems = bad.problems
    else:
        again = read_calendar(write_calendar([stored(one) for one in reading.events]))
        mine = {
            (one.uid, one.recurrence_id): replace(one.content, end=one.content.last)
            for one in reading.events
        }
        assert {(one.uid, one.recurrence_id): one.content for one in again.events} == mine, path
        return True
    last = data.count(b"\n") + 1
    assert problems
    assert all(1 <= line <= last for line, _ in problems), path
    return False


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for candidate in (data, b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n" + data):
        with pytest.raises(BadCalendarFile):
            read_calendar(candidate)


@given(
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=200),
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=200),
)
def test_any_text_survives(title: str, description: str) -> None:
    event = Event("id", content(title=title, description=description), NOW, NOW, uid="u@x")
    (one,) = read_calendar(write_calendar([event])).events
    assert (one.content.title, one.content.description) == (title, description)


@pytest.mark.hazard("D13")
def test_naughty_strings_survive_a_file() -> None:
    """D13: the naughty strings as title, text and guest come back byte for byte."""
    strings = [
        text for text in json.loads(vectors("blns.json").read_text()) if isinstance(text, str)
    ]
    texts = [
        text
        for text in strings
        if not any(ord(c) < 32 or 0xD800 <= ord(c) < 0xE000 or ord(c) == 127 for c in text)
    ]
    events = [
        Event(f"{number}", content(title=text, description=text, location=text), START, START,
              uid=f"{number}@x")
        for number, text in enumerate(texts)
    ]  # fmt: skip
    again = {one.uid: one.content for one in read_calendar(write_calendar(events)).events}
    for number, text in enumerate(texts):
        one = again[f"{number}@x"]
        assert (one.title, one.description, one.location) == (text, text, text)
    assert len(texts) > 450
