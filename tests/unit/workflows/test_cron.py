"""Schedule expressions: what is taken, and when it runs next."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from tidegate.workflows.service.cron import BadExpression, parse


def runs(expression: str, start: str, count: int, zone: str = "UTC") -> list[str]:
    begin = datetime.fromisoformat(start).replace(tzinfo=UTC)
    found = islice(parse(expression).runs(begin, ZoneInfo(zone)), count)
    return [run.astimezone(UTC).strftime("%Y-%m-%dT%H:%M") for run in found]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("cron(0 9 ? * MON-FRI *)", ["2026-01-02T09:00", "2026-01-05T09:00"]),
        ("cron(0/30 8 * * ? *)", ["2026-01-02T08:00", "2026-01-02T08:30"]),
        ("cron(0 0 L * ? *)", ["2026-01-31T00:00", "2026-02-28T00:00"]),
        ("cron(0 0 LW * ? *)", ["2026-01-30T00:00", "2026-02-27T00:00"]),
        ("cron(0 0 3W * ? *)", ["2026-01-02T00:00", "2026-02-03T00:00"]),
        ("cron(0 0 ? * 6L *)", ["2026-01-30T00:00", "2026-02-27T00:00"]),
        ("cron(0 0 ? * 2#1 *)", ["2026-01-05T00:00", "2026-02-02T00:00"]),
        ("cron(0 0 29 2 ? *)", ["2028-02-29T00:00", "2032-02-29T00:00"]),
        ("cron(15 10 ? * FRI-SUN 2026)", ["2026-01-02T10:15", "2026-01-03T10:15"]),
        ("rate(5 minutes)", ["2026-01-01T12:05", "2026-01-01T12:10"]),
    ],
)
def test_next_runs(expression: str, expected: list[str]) -> None:
    assert runs(expression, "2026-01-01T12:00", 2) == expected


@pytest.mark.hazard("H16")
def test_summer_time_neither_doubles_nor_invents_a_run() -> None:
    """H16 a time that is left out is skipped, one that comes twice runs once, leap days count."""
    daily = "cron(30 2 * * ? *)"
    spring = runs(daily, "2026-03-27T12:00", 3, "Europe/Berlin")
    assert spring == ["2026-03-28T01:30", "2026-03-30T00:30", "2026-03-31T00:30"]
    autumn = runs(daily, "2026-10-24T12:00", 2, "Europe/Berlin")
    assert autumn == ["2026-10-25T00:30", "2026-10-26T01:30"]
    year = runs("cron(0 0 * * ? 2028)", "2027-12-31T00:00", 400)
    assert len(year) == 366
    every = runs("cron(*/7 3-5 ? 2 TUE,THU 2026)", "2026-01-01T00:00", 1000)
    reference = [
        f"2026-02-{day:02d}T{hour:02d}:{minute:02d}"
        for day in range(1, 29)
        if datetime(2026, 2, day).isoweekday() in (2, 4)
        for hour in (3, 4, 5)
        for minute in range(0, 60, 7)
    ]
    assert every == reference


@pytest.mark.parametrize(
    "expression",
    [
        "", "rate(0 minutes)", "rate(1 minutes)", "rate(5 minute)", "rate(5 seconds)",
        "cron(* * * * * *)", "cron(60 * * * ? *)", "cron(* 24 * * ? *)", "cron(* * 32 * ? *)",
        "cron(* * ? 13 * *)", "cron(* * ? * 8 *)", "cron(* * * * ?)", "cron(a * * * ? *)",
        "cron(*/0 * * * ? *)", "cron(0 0 ? * MON#6 *)", "at(2026-01-01T00:00:00)",
        "cron(0 0 ? * ? *)", "cron(٣ * * * ? *)",
    ],
)  # fmt: skip
def test_what_the_scheduler_would_refuse_is_refused(expression: str) -> None:
    with pytest.raises(BadExpression):
        parse(expression)
