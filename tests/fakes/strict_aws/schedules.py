"""Schedule expressions of EventBridge and EventBridge Scheduler.

https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
"""

from __future__ import annotations

import datetime as dt
import re
import zoneinfo

_MONTHS = {
    name: i
    for i, name in enumerate(
        ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"), 1
    )
}
_DAYS = {name: i for i, name in enumerate(("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"), 1)}
# (name, low, high, names, field-specific pattern)
_FIELDS: tuple[tuple[str, int, int, dict[str, int], str | None], ...] = (
    ("minutes", 0, 59, {}, None),
    ("hours", 0, 23, {}, None),
    ("day-of-month", 1, 31, {}, r"\?|L|L-\d{1,2}|LW|\d{1,2}W"),
    ("month", 1, 12, _MONTHS, None),
    ("day-of-week", 1, 7, _DAYS, r"\?|L|[1-7]L|[1-7]#[1-5]|[A-Z]{3}#[1-5]"),
    ("year", 1970, 2199, {}, None),
)


def _value(text: str, low: int, high: int, names: dict[str, int]) -> int | None:
    if text.upper() in names:
        return names[text.upper()]
    if not re.fullmatch(r"\d{1,4}", text):
        return None
    number = int(text)
    return number if low <= number <= high else None


def _field_ok(text: str, low: int, high: int, names: dict[str, int], special: str | None) -> bool:
    for part in text.split(","):
        if special and re.fullmatch(special, part.upper()):
            continue
        base, slash, step = part.partition("/")
        if slash and not (re.fullmatch(r"\d{1,4}", step) and int(step) > 0):
            return False
        if base == "*":
            continue
        first, dash, last = base.partition("-")
        start = _value(first, low, high, names)
        end = _value(last, low, high, names) if dash else start
        if start is None or end is None or start > end:
            return False
    return True


def cron_ok(body: str) -> bool:
    """Six fields, each in range, and exactly one of the two day fields is ``?``."""
    fields = body.split()
    if len(fields) != 6:
        return False
    if [fields[2], fields[4]].count("?") != 1:
        return False
    return all(
        _field_ok(text, low, high, names, special)
        for text, (_, low, high, names, special) in zip(fields, _FIELDS, strict=True)
    )


def expression_ok(expression: str, *, scheduler: bool) -> bool:
    """Whether the service accepts the expression.

    EventBridge rules know ``rate`` and ``cron`` and insist on the right plural; Scheduler
    also knows ``at(yyyy-mm-ddThh:mm:ss)``.
    """
    match = re.fullmatch(r"(at|rate|cron)\((.*)\)", expression)
    if match is None:
        return False
    kind, body = match.groups()
    if kind == "cron":
        return cron_ok(body)
    if kind == "rate":
        rate = re.fullmatch(r"([1-9]\d*) (minute|hour|day)(s?)", body)
        return rate is not None and (scheduler or (rate[1] == "1") != bool(rate[3]))
    if not scheduler:
        return False
    try:
        dt.datetime.strptime(body, "%Y-%m-%dT%H:%M:%S")
    except ValueError:
        return False
    return True


def zone_ok(name: str) -> bool:
    """Whether the name is in the IANA time zone database."""
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True
