"""From what a caller sends to the content of an event: merging, and the rules between fields."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from tidegate_kit.errors import Detail, Unprocessable

from tidegate.calendar.domain import Attendee, Content, Moment

FIRST_YEAR, LAST_YEAR = 1900, 2999
EMAIL = r"^[^\s@<>,;:\"\\()\[\]]{1,64}@[^\s@<>,;:\"\\()\[\]]{1,255}$"
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_INSTANT = re.compile(
    r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:\d{2})", re.ASCII
)


def read_instant(value: object) -> datetime:
    """ISO 8601 with offset or Z, in UTC. Raises ValueError for anything else."""
    if isinstance(value, str) and _INSTANT.fullmatch(value):
        try:
            return datetime.fromisoformat(value).astimezone(UTC)
        except (ValueError, OverflowError):
            pass
    raise ValueError("must be a date and time with offset or Z (ISO 8601)")


def read_moment(value: object) -> Moment:
    """A date (YYYY-MM-DD), or as read_instant. Raises ValueError."""
    if isinstance(value, str) and _DATE.fullmatch(value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    elif isinstance(value, str) and _INSTANT.fullmatch(value):
        return read_instant(value)
    raise ValueError("must be a date and time with offset or Z, or a date if all_day (ISO 8601)")


def content_of(values: Mapping[str, Any], base: Content | None = None) -> Content:
    """The content after `values` (fields of a request) are laid over `base`.

    Raises Unprocessable where the fields contradict each other.
    """
    known = {name: value for name, value in values.items() if name != "attendees"}
    if "attendees" in values:
        known["attendees"] = tuple(Attendee(**guest) for guest in values["attendees"])
    content = replace(base, **known) if base is not None else Content(**known)
    if base is not None and {"start", "end", "time_zone"} & known.keys():
        content = replace(content, floating=False)
    if content.recurrence is None:
        content = replace(content, exdates=(), rdates=())
    content = replace(content, start=in_utc(content.start), end=in_utc(content.end))
    check(content)
    return content


def in_utc(moment: Moment) -> Moment:
    """An instant in UTC; a date as it is."""
    return moment.astimezone(UTC) if isinstance(moment, datetime) else moment


def check(content: Content) -> None:
    """Raise Unprocessable unless the times fit each other."""
    details = [
        Detail(name, problem)
        for name, moment in (("start", content.start), ("end", content.end))
        if (problem := _wrong(moment, all_day=content.all_day))
    ]
    if not details and content.end < content.start:
        details.append(Detail("end", "must not be before start"))
    if details:
        raise Unprocessable(details=details)


def _wrong(moment: Moment, *, all_day: bool) -> str | None:
    if isinstance(moment, datetime) == all_day:
        if all_day:
            return "must be a date (YYYY-MM-DD), because all_day is true"
        return "must be a date and time with offset or Z, because all_day is false"
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        return f"must be in the years {FIRST_YEAR} to {LAST_YEAR}"
    return None
