"""When pipelines start by themselves: at most hourly, UTC (EVT-6)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import islice, pairwise
from typing import Final
from zoneinfo import ZoneInfo

from tidegate_kit import cron

from tidegate.pipelines.executions import PipelineName

# Hour of the day, and day of the week where it is weekly: costs first, then what reads them.
_WHEN: Final[Mapping[PipelineName, tuple[int, str]]] = {
    "cost-ingest": (1, "?"),
    "inventory-scan": (2, "?"),
    "findings-refresh": (5, "?"),
    "savings-ledger": (6, "?"),
    "model-retrain": (7, "SUN"),
}
_UTC: Final = ZoneInfo("UTC")
_LEAST: Final = timedelta(hours=1)
_LOOKED_AT: Final = 60  # runs; more than one pass through the hours and minutes of two days


class TooOften(ValueError):
    """The expression starts a pipeline more than once an hour, or never."""


def default_expression(tenant_id: str, name: PipelineName) -> str:
    """The schedule that a pipeline has by itself; minutes spread the tenants over the hour."""
    minute = int.from_bytes(hashlib.sha256(f"{tenant_id}/{name}".encode()).digest()[:2]) % 60
    hour, weekday = _WHEN[name]
    day = "*" if weekday == "?" else "?"
    return f"cron({minute} {hour} {day} * {weekday} *)"


def next_run(expression: str, after: datetime) -> datetime | None:
    """The first run after an instant; None where there is none. Raises cron.BadExpression."""
    parsed = cron.parse(expression)
    return next((run for run in parsed.runs(after, _UTC) if run > after), None)


def check(expression: str, now: datetime) -> None:
    """Refuse what is no schedule expression, or starts more than hourly.

    Raises cron.BadExpression, TooOften.
    """
    runs = list(islice(cron.parse(expression).runs(now, _UTC), _LOOKED_AT))
    if not runs:
        raise TooOften("never comes")
    if any(later - run < _LEAST for run, later in pairwise(runs)):
        raise TooOften("comes more often than once an hour")
