"""Which IANA zone a TZID of an iCalendar file means."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import cache

from tidegate.calendar.ical.dates import read_value
from tidegate.calendar.ical.lines import Component
from tidegate.calendar.recurrence import hits
from tidegate.calendar.rules import read_rule
from tidegate.calendar.zones import known_zones, zone

_OFFSET = re.compile(r"([+-])([0-9]{2})([0-9]{2})([0-9]{2})?", re.ASCII)
_MAX_RULES = 60
_STEP = timedelta(days=5)


@cache
def _windows_zones() -> dict[str, str]:
    from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

    return dict(WINDOWS_TO_OLSON)


@dataclass
class ZoneNames:
    """The zones of one VCALENDAR. `default`: IANA name for times that tell none, if it has one."""

    definitions: dict[str, Component]
    default: str | None = None
    _known: dict[str, str | None] = field(default_factory=dict)

    @classmethod
    def of(cls, calendar: Component) -> ZoneNames:
        """What a calendar says of zones."""
        definitions = {}
        for child in calendar.children:
            name = child.first("TZID") if child.name == "VTIMEZONE" else None
            if name is not None:
                definitions[name.plain] = child
        default = calendar.first("X-WR-TIMEZONE")
        return cls(definitions, by_name(default.plain) if default is not None else None)

    def resolve(self, tzid: str, year: int) -> str | None:
        """The IANA name for a TZID used in a year; None where nothing tells it."""
        if tzid not in self._known:
            self._known[tzid] = by_name(tzid) or self._by_definition(tzid, year)
        return self._known[tzid]

    def _by_definition(self, tzid: str, year: int) -> str | None:
        definition = self.definitions.get(tzid)
        if definition is None:
            return None
        place = definition.first("X-LIC-LOCATION")
        named = by_name(place.plain) if place is not None else None
        return named or _by_offsets(definition, year)


def by_name(tzid: str) -> str | None:
    """The IANA name in a TZID: itself, a Windows name, or behind a vendor's prefix."""
    tzid = tzid.strip().strip('"')
    if tzid in known_zones():
        return tzid
    if tzid in _windows_zones():
        return _windows_zones()[tzid]
    parts = tzid.strip("/").split("/")[-6:]
    tails = ("/".join(parts[start:]) for start in range(len(parts) - 1))
    return next((tail for tail in tails if tail in known_zones()), None)


def _by_offsets(definition: Component, year: int) -> str | None:
    """The first zone whose clock agrees with a VTIMEZONE all through a year."""
    changes = _changes(definition, year)
    if not changes:
        return None
    samples: list[tuple[datetime, timedelta]] = []
    moment = datetime(year, 1, 1, 12, tzinfo=UTC)
    while moment.year == year:
        offset = next((given for at, given in reversed(changes) if at <= moment), changes[0][1])
        samples.append((moment, offset))
        moment += _STEP
    usual = list(dict.fromkeys(_windows_zones().values()))
    for name in (*usual, *sorted(known_zones() - set(usual))):
        if name in known_zones() and _agrees(name, samples):
            return name
    return None


def _agrees(name: str, samples: list[tuple[datetime, timedelta]]) -> bool:
    there = zone(name)
    return all(moment.astimezone(there).utcoffset() == offset for moment, offset in samples)


def _changes(definition: Component, year: int) -> list[tuple[datetime, timedelta]]:
    """(instant, offset from then on), in order, from the year before to the end of the year."""
    changes: list[tuple[datetime, timedelta]] = []
    for rules in definition.children[:_MAX_RULES]:
        to, since = rules.first("TZOFFSETTO"), rules.first("TZOFFSETFROM")
        if to is None or since is None or rules.name not in {"STANDARD", "DAYLIGHT"}:
            continue
        after, before = _offset(to.value), _offset(since.value)
        if after is None or before is None:
            continue
        for wall in _onsets(rules, year):
            changes.append((wall.replace(tzinfo=UTC) - before, after))
    return sorted(changes)


def _offset(text: str) -> timedelta | None:
    found = _OFFSET.fullmatch(text.strip())
    if found is None:
        return None
    seconds = int(found[2]) * 3600 + int(found[3]) * 60 + int(found[4] or 0)
    return timedelta(seconds=-seconds if found[1] == "-" else seconds)


def _onsets(rules: Component, year: int) -> list[datetime]:
    """Wall clocks (without zone) at which a STANDARD or DAYLIGHT part begins to hold."""
    start = rules.first("DTSTART")
    try:
        first = read_value(start.value, "UTC") if start is not None else None
        repeated = rules.first("RRULE")
        rule = read_rule(repeated.value) if repeated is not None else None
        added = [read_value(one.value, "UTC") for one in rules.each("RDATE")][:200]
    except ValueError:
        return []
    if first is None:
        return []
    if not isinstance(first, datetime):
        first = datetime.combine(first, time(), UTC)
    onsets = [one for one in (first, *added) if isinstance(one, datetime) and one.year <= year]
    if rule is not None and rule.frequency == "YEARLY" and first.year <= year:
        day = max(first.date(), date(year - 1, 1, 1))
        last = date(year, 12, 31) if rule.until is None else min(rule.until.day, date(year, 12, 31))
        while day <= last:
            if hits(rule, first.date(), day):
                onsets.append(first.replace(year=day.year, month=day.month, day=day.day))
            day += timedelta(days=1)
    return [onset.replace(tzinfo=None) for onset in onsets]
