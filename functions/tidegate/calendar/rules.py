"""Recurrence rules (RFC 5545): what they say, read strictly."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property

MAX_RULE_CHARS = 1000
MAX_COUNT = 100_000
_DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_FREQUENCIES = ("SECONDLY", "MINUTELY", "HOURLY", "DAILY", "WEEKLY", "MONTHLY", "YEARLY")
_RANGES: dict[str, tuple[int, int, bool]] = {  # lowest, highest, also negative
    "BYSECOND": (0, 60, False),
    "BYMINUTE": (0, 59, False),
    "BYHOUR": (0, 23, False),
    "BYMONTHDAY": (1, 31, True),
    "BYYEARDAY": (1, 366, True),
    "BYWEEKNO": (1, 53, True),
    "BYMONTH": (1, 12, False),
    "BYSETPOS": (1, 366, True),
}
_WITHIN_DAY = frozenset({"BYHOUR", "BYMINUTE", "BYSECOND"})
_INTEGER = re.compile(r"[+-]?[0-9]{1,6}", re.ASCII)
_BYDAY = re.compile(r"([+-]?[0-9]{1,2})?(MO|TU|WE|TH|FR|SA|SU)", re.ASCII)
_UNTIL = re.compile(r"([0-9]{8})(?:T([0-9]{6})(Z?))?", re.ASCII)


@dataclass(frozen=True)
class Until:
    """The last moment of a rule: a date, or a date and time in UTC or local."""

    text: str

    @cached_property
    def day(self) -> date:
        """Its date as written."""
        return datetime.strptime(self.text[:8], "%Y%m%d").replace(tzinfo=UTC).date()

    def admits(self, moment: datetime) -> bool:
        """True for a local moment (with its zone) that is not later."""
        if "T" not in self.text:
            return moment.date() <= self.day
        end = datetime.strptime(self.text[:15], "%Y%m%dT%H%M%S")
        zone = UTC if self.text.endswith("Z") else moment.tzinfo
        return moment <= end.replace(tzinfo=zone)


@dataclass(frozen=True)
class Rule:
    """A rule, read. `by` holds the numeric BY parts; `days` BYDAY as (ordinal or 0, weekday)."""

    frequency: str
    interval: int
    count: int | None
    until: Until | None
    by: Mapping[str, tuple[int, ...]]
    days: tuple[tuple[int, int], ...]
    week_start: int

    @property
    def by_day(self) -> bool:
        """True if whole days decide; rules within a day are not looked at closely."""
        return self.frequency not in _FREQUENCIES[:3]


def rule_text(recurrence: str) -> str:
    """The value of a rule that may be written as a property."""
    return recurrence[6:] if recurrence[:6].upper() == "RRULE:" else recurrence


def read_rule(recurrence: str) -> Rule:
    """The rule of an RRULE value. Raises ValueError saying what is wrong, without quoting it."""
    text = rule_text(recurrence)
    if len(text) > MAX_RULE_CHARS:
        raise ValueError(f"must be at most {MAX_RULE_CHARS} characters")
    parts = _parts(text)
    frequency = parts.pop("FREQ", "").upper()
    if frequency not in _FREQUENCIES:
        raise ValueError("must have one FREQ of RFC 5545")
    if "COUNT" in parts and "UNTIL" in parts:
        raise ValueError("must not have both COUNT and UNTIL")
    rule = Rule(
        frequency,
        _number(parts.pop("INTERVAL", "1"), 1, 10_000),
        _number(parts.pop("COUNT"), 1, MAX_COUNT) if "COUNT" in parts else None,
        _until(parts.pop("UNTIL")) if "UNTIL" in parts else None,
        {name: _numbers(name, parts.pop(name)) for name in _RANGES if name in parts},
        _weekdays(parts.pop("BYDAY")) if "BYDAY" in parts else (),
        _weekday(parts.pop("WKST", "MO")),
    )
    if parts:
        raise ValueError("has a part that RFC 5545 does not know")
    _check_together(rule)
    return rule


def _parts(text: str) -> dict[str, str]:
    parts: dict[str, str] = {}
    for part in text.rstrip(";").split(";"):
        name, equals, value = part.partition("=")
        name = name.strip().upper()
        if not equals or not value or name in parts:
            raise ValueError("must be NAME=value parts, each name once, separated by semicolons")
        parts[name] = value.strip()
    return parts


def _number(text: str, low: int, high: int) -> int:
    if not text.isascii() or not text.isdigit() or not low <= int(text[:7]) <= high:
        raise ValueError(f"has a number that is not {low} to {high}")
    return int(text)


def _numbers(name: str, text: str) -> tuple[int, ...]:
    low, high, signed = _RANGES[name]
    values = []
    for part in text.split(","):
        if _INTEGER.fullmatch(part.strip()) is None:
            raise ValueError(f"has a {name} that is not a number")
        value = int(part)
        if not low <= (abs(value) if signed else value) <= high:
            raise ValueError(f"has a {name} out of range")
        values.append(value)
    return tuple(values)


def _weekday(text: str) -> int:
    if text.upper() not in _DAYS:
        raise ValueError("has a WKST that is not a weekday")
    return _DAYS.index(text.upper())


def _weekdays(text: str) -> tuple[tuple[int, int], ...]:
    days = []
    for part in text.upper().split(","):
        found = _BYDAY.fullmatch(part.strip())
        ordinal = int(found[1] or 0) if found else 0
        if found is None or abs(ordinal) > 53 or (found[1] and ordinal == 0):
            raise ValueError("has a BYDAY that is not a weekday")
        days.append((ordinal, _DAYS.index(found[2])))
    return tuple(days)


def _until(text: str) -> Until:
    text = text.upper()
    if _UNTIL.fullmatch(text) is None:
        raise ValueError("has an UNTIL that is not a date or a date with time")
    until = Until(text)
    try:
        until.admits(datetime(2000, 1, 1, tzinfo=UTC))
    except ValueError:
        raise ValueError("has an UNTIL that is not on the calendar") from None
    return until


def _check_together(rule: Rule) -> None:
    ordinals = any(ordinal for ordinal, _ in rule.days)
    if ordinals and rule.frequency not in {"MONTHLY", "YEARLY"}:
        raise ValueError("has a numbered BYDAY, which only MONTHLY and YEARLY take")
    if "BYWEEKNO" in rule.by and rule.frequency != "YEARLY":
        raise ValueError("has BYWEEKNO, which only YEARLY takes")
    if "BYYEARDAY" in rule.by and rule.frequency in {"DAILY", "WEEKLY", "MONTHLY"}:
        raise ValueError("has BYYEARDAY, which DAILY, WEEKLY and MONTHLY do not take")
    if "BYMONTHDAY" in rule.by and rule.frequency == "WEEKLY":
        raise ValueError("has BYMONTHDAY, which WEEKLY does not take")
    if "BYSETPOS" in rule.by and not rule.days and len(rule.by) == 1:
        raise ValueError("has BYSETPOS without another BY part")
