"""Recurrence rules: read strictly, and never hiding a repetition from a list."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from time import perf_counter
from zoneinfo import ZoneInfo

import pytest
from dateutil.rrule import rrulestr
from hypothesis import given, settings
from hypothesis import strategies as st
from tidegate.calendar.recurrence import hits, occurs_between
from tidegate.calendar.rules import MAX_COUNT, read_rule

from tests.builders.calendar import content

DAYS = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]


def listed(name: str, values: list[int]) -> st.SearchStrategy[str]:
    chosen = st.lists(st.sampled_from(values), min_size=1, max_size=3, unique=True)
    return chosen.map(lambda some: f"{name}={','.join(map(str, some))}")


@st.composite
def rules(draw: st.DrawFn) -> str:
    """Rules of whole days, of the forms that dateutil reads as RFC 5545 does."""
    frequency = draw(st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]))
    parts = [f"FREQ={frequency}", f"INTERVAL={draw(st.integers(1, 4))}"]
    months = draw(st.booleans())
    if months:
        parts.append(draw(listed("BYMONTH", list(range(1, 13)))))
    if frequency != "WEEKLY" and draw(st.booleans()):
        parts.append(draw(listed("BYMONTHDAY", [1, 5, 15, 28, 29, 30, 31, -1, -2, -31])))
    if frequency == "YEARLY" and draw(st.booleans()):
        parts.append(draw(listed("BYYEARDAY", [1, 32, 100, 200, 366, -1, -366])))
    if draw(st.booleans()):
        yearly = ["1", "-1"] if months else ["1", "20", "-1", "53"]
        numbers = {"MONTHLY": ["1", "2", "5", "-1", "-5"], "YEARLY": yearly}.get(frequency, [])
        ordinals = draw(st.sampled_from([[""], numbers or [""]]))
        days = {draw(st.sampled_from(ordinals)) + draw(st.sampled_from(DAYS)) for _ in range(2)}
        parts.append("BYDAY=" + ",".join(sorted(days)))
    if draw(st.booleans()):
        parts.append(f"WKST={draw(st.sampled_from(DAYS))}")
    return ";".join(parts)


@settings(max_examples=60, deadline=None)
@given(rules(), st.dates(date(2019, 1, 1), date(2024, 12, 31)))
def test_days_agree_with_dateutil(rule: str, start: date) -> None:
    end = start + timedelta(days=800)
    expected = rrulestr(f"{rule};UNTIL={end:%Y%m%d}", dtstart=datetime.combine(start, time()))
    read = read_rule(rule)
    days = [start + timedelta(days=number) for number in range(801)]
    assert [day for day in days if hits(read, start, day)] == [one.date() for one in expected]


@settings(max_examples=40, deadline=None)
@given(
    rules(),
    st.dates(date(2025, 1, 1), date(2026, 12, 31)),
    st.integers(0, 500),
    st.integers(1, 40),
    st.integers(1, 30),
)
def test_a_window_shows_an_event_exactly_when_it_occurs(
    rule: str, start: date, offset: int, length: int, count: int
) -> None:
    zone = ZoneInfo("Europe/Berlin")
    opening = datetime.combine(start, time(23, 30), zone)
    event = content(
        start=opening.astimezone(UTC), end=opening.astimezone(UTC) + timedelta(hours=2),
        time_zone="Europe/Berlin", recurrence=f"{rule};COUNT={count}",
    )  # fmt: skip
    begin = datetime.combine(start + timedelta(days=offset), time(), UTC)
    end = begin + timedelta(days=length)
    horizon = (start + timedelta(days=600)).strftime("%Y%m%d")
    walls = rrulestr(f"{rule};UNTIL={horizon}", dtstart=opening.replace(tzinfo=None))
    series = [opening, *(one.replace(tzinfo=zone) for one in list(walls)[:count])]
    expected = any(one < end and one + timedelta(hours=2) > begin for one in series)
    assert occurs_between(event, begin, end) == expected


@pytest.mark.parametrize(
    ("rule", "day", "expected"),
    [
        ("FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO", date(2026, 5, 11), True),
        ("FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO", date(2026, 5, 18), False),
        ("FREQ=YEARLY;BYWEEKNO=-1;BYDAY=SU", date(2027, 1, 3), True),
        ("FREQ=YEARLY;BYWEEKNO=53", date(2026, 12, 31), True),
        ("FREQ=YEARLY;INTERVAL=2;BYWEEKNO=1;BYDAY=FR", date(2027, 1, 8), False),
    ],
)
def test_week_numbers(rule: str, day: date, expected: bool) -> None:
    assert hits(read_rule(rule), date(2026, 1, 1), day) is expected


@pytest.mark.parametrize(
    "rule",
    [
        "", "DAILY", "FREQ=", "FREQ=OFTEN", "FREQ=DAILY;FREQ=DAILY", "FREQ=DAILY;INTERVAL=0",
        "FREQ=DAILY;COUNT=-1", f"FREQ=DAILY;COUNT={MAX_COUNT + 1}", "FREQ=DAILY;COUNT=²",
        "FREQ=DAILY;COUNT=2;UNTIL=20260101", "FREQ=DAILY;UNTIL=tomorrow",
        "FREQ=DAILY;UNTIL=20260231", "FREQ=DAILY;UNTIL=20260101T250000Z", "FREQ=DAILY;BYMONTH=13",
        "FREQ=DAILY;BYMONTHDAY=0", "FREQ=DAILY;BYDAY=XX", "FREQ=DAILY;BYDAY=1MO",
        "FREQ=WEEKLY;BYMONTHDAY=1", "FREQ=MONTHLY;BYWEEKNO=1", "FREQ=DAILY;BYYEARDAY=1",
        "FREQ=DAILY;BYSETPOS=1", "FREQ=DAILY;WKST=1", "FREQ=DAILY;NEW=1", "FREQ=DAILY;;COUNT=2",
        "FREQ=DAILY;BYHOUR=24", "FREQ=MONTHLY;BYDAY=54MO", "FREQ=DAILY;BYMONTH=1,",
        "FREQ=DAILY\nEXDATE:20260101", "FREQ=DAILY;" + "BYMONTH=1," * 200,
    ],
)  # fmt: skip
def test_what_is_no_rule_is_refused(rule: str) -> None:
    with pytest.raises(ValueError):
        read_rule(rule)


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=DAILY;INTERVAL=7;BYDAY=TU",
        "FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=MINUTELY",
    ],
)
def test_no_rule_costs_more_than_its_window(rule: str) -> None:
    """An expansion engine searches these for minutes."""
    event = content(recurrence=rule)
    begin = datetime(2900, 1, 1, tzinfo=UTC)
    started = perf_counter()
    for number in range(20):
        occurs_between(event, begin, begin + timedelta(days=number))
    assert perf_counter() - started < 2


def test_until_is_inclusive_and_count_ends() -> None:
    until = content(recurrence="FREQ=DAILY;UNTIL=20260304T080000Z")
    day = datetime(2026, 3, 4, tzinfo=UTC)
    assert occurs_between(until, day, day + timedelta(days=1))
    assert not occurs_between(until, day + timedelta(days=1), day + timedelta(days=9))
    counted = content(recurrence="FREQ=DAILY;COUNT=3")
    assert occurs_between(counted, day, day + timedelta(days=1))
    assert not occurs_between(counted, day + timedelta(days=1), None)


def test_added_dates_count() -> None:
    event = content(rdates=("2027-01-01T08:00:00Z",))
    day = datetime(2027, 1, 1, tzinfo=UTC)
    assert occurs_between(event, day, day + timedelta(days=1))
    assert not occurs_between(event, day + timedelta(days=1), day + timedelta(days=2))
