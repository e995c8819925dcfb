"""Schedule expressions of EventBridge Scheduler: rate(...) and cron(...), and when they run next.

Format: https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html - six fields
(minutes, hours, day of month, month, day of week, year) with * , - / ? L W #. The service itself
fires the schedules; this only checks them and tells the next runs. A local time that a change to
summer time leaves out is skipped; one that comes twice runs once.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

_RATE: Final = re.compile(r"rate\((\d{1,6}) (minute|minutes|hour|hours|day|days)\)")
_CRON: Final = re.compile(r"cron\(([^()]{1,200})\)")
_UNITS: Final = {"minute": 60, "hour": 3600, "day": 86400}
_MONTHS: Final = (
    "JAN",
    "FEB",
    "MAR",
    "APR",
    "MAY",
    "JUN",
    "JUL",
    "AUG",
    "SEP",
    "OCT",
    "NOV",
    "DEC",
)
_DAYS: Final = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_YEARS: Final = (1970, 2199)
_HORIZON_DAYS: Final = 366 * 9  # a 29 February that is a given weekday can be far
_MAX_RATE_DAYS: Final = 3650

DayTest = Callable[[date], bool]


class BadExpression(ValueError):
    """The expression is not one that the scheduler takes; the message says where."""


@dataclass(frozen=True)
class Rate:
    """Every so many seconds."""

    seconds: int

    def runs(self, start: datetime, zone: ZoneInfo) -> Iterator[datetime]:
        """Runs counted from `start`, which is the schedule's own beginning."""
        moment = start
        while True:
            moment += timedelta(seconds=self.seconds)
            yield moment


@dataclass(frozen=True)
class Cron:
    """Calendar times; the day must pass every test."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[DayTest, ...]

    def runs(self, start: datetime, zone: ZoneInfo) -> Iterator[datetime]:
        """Runs after `start`, in UTC, ascending."""
        first = start.astimezone(zone).date()
        for ahead in range(_HORIZON_DAYS):
            day = first + timedelta(days=ahead)
            if not all(test(day) for test in self.days):
                continue
            for hour in self.hours:
                for minute in self.minutes:
                    local = datetime.combine(day, time(hour, minute), zone)
                    moment = local.astimezone(UTC)
                    if moment > start and moment.astimezone(zone).time() == local.time():
                        yield moment


def parse(expression: str) -> Rate | Cron:
    """The schedule of an expression. Raises BadExpression."""
    rate = _RATE.fullmatch(expression)
    if rate is not None:
        return _rate(int(rate.group(1)), rate.group(2))
    cron = _CRON.fullmatch(expression)
    if cron is None:
        raise BadExpression("must be rate(<number> <unit>) or cron(<six fields>)")
    fields = cron.group(1).split()
    if len(fields) != 6:
        raise BadExpression("a cron expression has six fields")
    minutes, hours, dom, month, dow, year = (field.upper() for field in fields)
    if (dom == "?") == (dow == "?"):
        raise BadExpression("exactly one of day of month and day of week must be ?")
    months = _numbers(month, 1, 12, "month", _MONTHS, 1)
    years = _numbers(year, *_YEARS, "year")
    tests: list[DayTest] = [lambda day: day.month in months, lambda day: day.year in years]
    tests.append(_day_of_week(dow) if dom == "?" else _day_of_month(dom))
    return Cron(
        tuple(sorted(_numbers(minutes, 0, 59, "minute"))),
        tuple(sorted(_numbers(hours, 0, 23, "hour"))),
        tuple(tests),
    )


def _rate(count: int, unit: str) -> Rate:
    single = unit.removesuffix("s")
    if count < 1 or (count == 1) != (unit == single):
        raise BadExpression("a rate is 1 minute, 5 minutes, 1 hour, and so on")
    seconds = count * _UNITS[single]
    if seconds > _MAX_RATE_DAYS * 86400:
        raise BadExpression("a rate is at most ten years")
    return Rate(seconds)


def _numbers(
    field: str, low: int, high: int, name: str, words: tuple[str, ...] = (), base: int = 0
) -> frozenset[int]:
    found: set[int] = set()
    for part in field.split(","):
        span, slash, step = part.partition("/")
        if slash and not (step.isascii() and step.isdigit() and int(step) > 0):
            raise BadExpression(f"the {name} field has a bad step")
        first, dash, last = span.partition("-")
        if span == "*":
            start, end = low, high
        else:
            start = _number(first, low, high, name, words, base)
            end = start
            if dash:
                end = _number(last, low, high, name, words, base)
            elif slash:
                end = high
        values = range(start, end + 1)
        if end < start:  # FRI-MON goes around
            values = range(start, end + high - low + 2)
        found.update(
            low + (value - low) % (high - low + 1) for value in values[:: int(step) if slash else 1]
        )
    return frozenset(found)


def _number(text: str, low: int, high: int, name: str, words: tuple[str, ...], base: int) -> int:
    if text in words:
        return words.index(text) + base
    if not (text.isascii() and text.isdigit()) or not low <= int(text) <= high:
        raise BadExpression(f"the {name} field has something else than {low} to {high}")
    return int(text)


def _day_of_month(field: str) -> DayTest:
    if field == "L":
        return lambda day: day.day == _last(day)
    if field == "LW":
        return lambda day: day.day == _nearest_weekday(day, _last(day))
    nearest = re.fullmatch(r"(\d{1,2})W", field)
    if nearest is not None:
        wanted = _number(nearest.group(1), 1, 31, "day of month", (), 0)
        return lambda day: wanted <= _last(day) and day.day == _nearest_weekday(day, wanted)
    days = _numbers(field, 1, 31, "day of month")
    return lambda day: day.day in days


def _day_of_week(field: str) -> DayTest:
    nth = re.fullmatch(r"(\w{1,3})#([1-5])", field)
    if nth is not None:
        wanted, week = _weekday(nth.group(1)), int(nth.group(2))
        return lambda day: _dow(day) == wanted and (day.day - 1) // 7 + 1 == week
    last = re.fullmatch(r"(\w{1,3})L", field)
    if last is not None:
        wanted = _weekday(last.group(1))
        return lambda day: _dow(day) == wanted and day.day + 7 > _last(day)
    if field == "L":
        return lambda day: _dow(day) == 7
    days = _numbers(field, 1, 7, "day of week", _DAYS, 1)
    return lambda day: _dow(day) in days


def _weekday(text: str) -> int:
    return _number(text, 1, 7, "day of week", _DAYS, 1)


def _dow(day: date) -> int:
    """1 is Sunday, as in the scheduler."""
    return day.isoweekday() % 7 + 1


def _last(day: date) -> int:
    return calendar.monthrange(day.year, day.month)[1]


def _nearest_weekday(day: date, wanted: int) -> int:
    """The weekday nearest to a day of this month, without leaving the month."""
    weekday = day.replace(day=wanted).isoweekday()
    if weekday == 6:
        return wanted - 1 if wanted > 1 else wanted + 2
    if weekday == 7:
        return wanted + 1 if wanted < _last(day) else wanted - 2
    return wanted
