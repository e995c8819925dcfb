"""Dates and times of iCalendar values; Google's EXDATE and RDATE lines are the same."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime

from tidegate.calendar.domain import Content, Moment, moment_text, read_moment
from tidegate.calendar.rules import rule_text
from tidegate.calendar.zones import local, zone

_DATE = re.compile(r"[0-9]{8}", re.ASCII)
_TIME = re.compile(r"[0-9]{8}T[0-9]{6}Z?", re.ASCII)


def read_value(text: str, zone_name: str) -> Moment:
    """A DATE, or a DATE-TIME as UTC instant; one without Z is on the clock of `zone_name`.

    Raises ValueError saying what is wrong, without quoting it.
    """
    text = text.strip()
    try:
        if _DATE.fullmatch(text):
            return date(int(text[:4]), int(text[4:6]), int(text[6:]))
        if _TIME.fullmatch(text):
            # A leap second is read as the last whole one.
            plain = text[:13] + ("59" if text[13:15] == "60" else text[13:15])
            wall = datetime.strptime(plain, "%Y%m%dT%H%M%S")
            zoned = wall.replace(tzinfo=UTC if text.endswith("Z") else zone(zone_name))
            return zoned.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("is not on the calendar") from None
    raise ValueError("is neither a date (YYYYMMDD) nor a date and time (YYYYMMDDTHHMMSS)")


def read_values(text: str, zone_name: str) -> tuple[str, ...]:
    """A comma-separated list of them, as stored text."""
    return tuple(moment_text(read_value(part, zone_name)) for part in text.split(",") if part)


def write_value(moment: Moment, zone_name: str) -> str:
    """A date, or the wall clock of an instant in the zone; with Z if the zone is UTC."""
    if not isinstance(moment, datetime):
        return moment.strftime("%Y%m%d")
    wall = local(moment, zone_name).strftime("%Y%m%dT%H%M%S")
    return f"{wall}Z" if zone_name == "UTC" else wall


def google_lines(content: Content) -> list[str]:
    """RRULE, EXDATE and RDATE lines as the Google API takes them."""
    lines = [f"RRULE:{rule_text(content.recurrence)}"] if content.recurrence else []
    for name, texts in (("EXDATE", content.exdates), ("RDATE", content.rdates)):
        moments = [read_moment(text) for text in texts]
        days = [moment for moment in moments if not isinstance(moment, datetime)]
        times = [moment for moment in moments if isinstance(moment, datetime)]
        if days:
            lines.append(f"{name};VALUE=DATE:{','.join(write_value(day, 'UTC') for day in days)}")
        if times:
            lines.append(f"{name}:{','.join(write_value(one, 'UTC') for one in times)}")
    return lines


def read_google_lines(
    lines: list[str], zone_name: str
) -> tuple[str | None, tuple[str, ...], tuple[str, ...]]:
    """(rule, exdates, rdates) of the lines of the Google API. Raises ValueError."""
    rule: str | None = None
    found: dict[str, tuple[str, ...]] = {"EXDATE": (), "RDATE": ()}
    for line in lines:
        head, _, value = line.partition(":")
        name, *parameters = head.split(";")
        named = dict(part.upper().partition("=")[::2] for part in parameters)
        tzid = next((p.partition("=")[2] for p in parameters if p.upper()[:5] == "TZID="), "")
        if name.upper() == "RRULE" and rule is None:
            rule = value
        elif name.upper() in found and named.get("VALUE") != "PERIOD":
            found[name.upper()] += read_values(value, tzid or zone_name)
    return rule, found["EXDATE"], found["RDATE"]
