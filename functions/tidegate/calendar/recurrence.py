"""Recurrence rules (RFC 5545 3.3.10): reading them strictly, and asking which days they may hit.

Expansion engines loop for long on rules that never match, so a day is tested instead of the next
occurrence searched: every question here costs a bounded number of days.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta

from tidegate.calendar.domain import Content
from tidegate.calendar.rules import _WITHIN_DAY, Rule, read_rule
from tidegate.calendar.zones import instant, local

_SCAN_DAYS = 400  # a window longer than this is not looked at day by day
_COUNTED_DAYS = 8000  # a COUNT is followed for this long (21 years) from the start


def hits(rule: Rule, start: date, day: date) -> bool:
    """Whether the rule of a series that starts on `start` may have an occurrence on `day`.

    Exact, except that BYSETPOS is not applied (it only takes days away), nor COUNT and UNTIL.
    """
    return day >= start and _in_period(rule, start, day) and _selected(rule, start, day)


def _in_period(rule: Rule, start: date, day: date) -> bool:
    if rule.frequency == "YEARLY":
        year = _week_year(rule, day) if "BYWEEKNO" in rule.by else day.year
        distance = year - (_week_year(rule, start) if "BYWEEKNO" in rule.by else start.year)
    elif rule.frequency == "MONTHLY":
        distance = (day.year - start.year) * 12 + day.month - start.month
    elif rule.frequency == "WEEKLY":
        distance = (_week_of(rule, day) - _week_of(rule, start)).days // 7
    elif rule.frequency == "DAILY":
        distance = (day - start).days
    else:
        return True
    return distance % rule.interval == 0


def _week_of(rule: Rule, day: date) -> date:
    return day - timedelta(days=(day.weekday() - rule.week_start) % 7)


def _week_year(rule: Rule, day: date) -> int:
    # A week belongs to the year that holds its fourth day (ISO 8601, with any first weekday).
    return (_week_of(rule, day) + timedelta(days=3)).year


def _selected(rule: Rule, start: date, day: date) -> bool:
    by = rule.by
    if "BYMONTH" in by and day.month not in by["BYMONTH"]:
        return False
    if "BYWEEKNO" in by and not _in_weeks(rule, day):
        return False
    if "BYYEARDAY" in by and not _numbered(by["BYYEARDAY"], *_year(day), day):
        return False
    if "BYMONTHDAY" in by and not _numbered(by["BYMONTHDAY"], *_month(day), day):
        return False
    if rule.days:
        return any(_on_weekday(rule, ordinal, weekday, day) for ordinal, weekday in rule.days)
    return _as_start(rule, start, day)


def _numbered(numbers: tuple[int, ...], first: date, after: date, day: date) -> bool:
    """Whether `day` has one of the numbers, counted from `first` or back from `after`."""
    position, length = (day - first).days + 1, (after - first).days
    return position in numbers or position - length - 1 in numbers


def _year(day: date) -> tuple[date, date]:
    return date(day.year, 1, 1), date(day.year + 1, 1, 1)


def _month(day: date) -> tuple[date, date]:
    first = day.replace(day=1)
    return first, (first + timedelta(days=31)).replace(day=1)


def _in_weeks(rule: Rule, day: date) -> bool:
    year = _week_year(rule, day)
    first = _week_of(rule, date(year, 1, 4))
    number = (_week_of(rule, day) - first).days // 7 + 1
    weeks = (_week_of(rule, date(year + 1, 1, 4)) - first).days // 7
    return number in rule.by["BYWEEKNO"] or number - weeks - 1 in rule.by["BYWEEKNO"]


def _on_weekday(rule: Rule, ordinal: int, weekday: int, day: date) -> bool:
    if day.weekday() != weekday:
        return False
    if ordinal == 0:
        return True
    by_month = rule.frequency == "MONTHLY" or "BYMONTH" in rule.by
    first, after = _month(day) if by_month else _year(day)
    if ordinal > 0:
        return (day - first).days // 7 + 1 == ordinal
    return ((after - day).days - 1) // 7 + 1 == -ordinal


def _as_start(rule: Rule, start: date, day: date) -> bool:
    """What the rule leaves open is as on the first day."""
    by = rule.by
    if rule.frequency == "WEEKLY":
        return day.weekday() == start.weekday()
    if rule.frequency == "MONTHLY":
        return "BYMONTHDAY" in by or day.day == start.day
    if rule.frequency != "YEARLY" or "BYYEARDAY" in by or "BYMONTHDAY" in by:
        return True
    if "BYWEEKNO" in by:
        return day.weekday() == start.weekday()
    return day.day == start.day and ("BYMONTH" in by or day.month == start.month)


def occurs_between(content: Content, begin: datetime | None, end: datetime | None) -> bool:
    """Whether an event, or a repetition of it, may touch the time from `begin` to before `end`.

    Never hides one that does; may show a rule within a day, or one with BYSETPOS, that does not.
    """
    first = instant(content.start, content.time_zone)
    duration = instant(content.last, content.time_zone) - first
    if _touches(first, duration, begin, end):
        return True
    added = (instant(_read(text), content.time_zone) for text in content.rdates)
    if any(_touches(moment, duration, begin, end) for moment in added):
        return True
    if content.recurrence is None or (end is not None and first >= end):
        return False
    return _rule_touches(content, read_rule(content.recurrence), first, duration, begin, end)


def _read(text: str) -> datetime | date:
    return datetime.fromisoformat(text) if "T" in text else date.fromisoformat(text)


def _touches(
    start: datetime, duration: timedelta, begin: datetime | None, end: datetime | None
) -> bool:
    after = start + duration
    return (end is None or start < end) and (begin is None or after > begin or start >= begin)


def _rule_touches(
    content: Content,
    rule: Rule,
    first: datetime,
    duration: timedelta,
    begin: datetime | None,
    end: datetime | None,
) -> bool:
    name = content.time_zone
    opening = local(first, name)
    # From the first day whose occurrence could still reach into the window, to its last day.
    lowest = opening if begin is None else max(opening, local(begin - duration, name))
    day = lowest.date() - timedelta(days=1) if lowest > opening else opening.date()
    last = local(end, name).date() if end is not None else day + timedelta(days=_SCAN_DAYS)
    if rule.until is not None:
        last = min(last, rule.until.day + timedelta(days=1))
    if last < day:
        return False
    if not rule.by_day or (last - day).days > _SCAN_DAYS:
        return True
    used = _used(rule, opening.date(), day)
    while day <= last and not _over(rule, used):
        if hits(rule, opening.date(), day):
            moment = opening.replace(year=day.year, month=day.month, day=day.day)
            if rule.until is not None and not rule.until.admits(moment):
                return False
            if _touches(moment, duration, begin, end) or rule.by.keys() & _WITHIN_DAY:
                return True
            used = None if used is None else used + 1
        day += timedelta(days=1)
    # With an open end, what lies beyond the days looked at is not known.
    return end is None and not _over(rule, used) and (rule.until is None or rule.until.day > last)


def _over(rule: Rule, used: int | None) -> bool:
    return rule.count is not None and used is not None and used >= rule.count


def _used(rule: Rule, start: date, day: date) -> int | None:
    """How many occurrences lie before `day`; None where that is not known exactly."""
    within = rule.by.keys() & {"BYSETPOS", *_WITHIN_DAY}
    if rule.count is None or within or (day - start).days > _COUNTED_DAYS:
        return None
    return sum(hits(rule, start, start + timedelta(days=n)) for n in range((day - start).days))
