"""IANA time zones."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, tzinfo
from functools import cache
from typing import Annotated
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator

from tidegate.calendar.domain import Moment

_NOT_ZONES = frozenset({"localtime", "posixrules", "Factory"})


@cache
def known_zones() -> frozenset[str]:
    """Every zone name that an event may have."""
    return frozenset(available_timezones()) - _NOT_ZONES


def zone(name: str) -> tzinfo:
    """The zone of a stored name; a name that the installed data lost is read as UTC (H27)."""
    return ZoneInfo(name) if name in known_zones() else UTC


def _known(name: str) -> str:
    if name not in known_zones():
        raise ValueError("is not an IANA time zone")
    return name


TimeZone = Annotated[str, AfterValidator(_known)]


def local(moment: datetime, name: str) -> datetime:
    """The wall clock of an instant in a zone."""
    return moment.astimezone(zone(name))


def midnight(day: date, name: str) -> datetime:
    """The instant at which a day begins in a zone."""
    return datetime.combine(day, time(), zone(name)).astimezone(UTC)


def instant(moment: Moment, name: str) -> datetime:
    """An instant as it is, a date as the beginning of its day in the zone."""
    return moment if isinstance(moment, datetime) else midnight(moment, name)
