"""What this month will cost by its run-rate (contract 2.8, `forecast_month`). Pure.

A day counts once it is over. The days of the month that are over and known are taken as they are,
each other one at the mean of the known days of the last four weeks, so that every weekday weighs
the same. With fewer than seven of those known, nothing is said.
"""

from __future__ import annotations

import calendar
from collections.abc import Mapping
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal

WINDOW_DAYS = 28
LEAST_DAYS = 7
_CENT = Decimal("0.01")


def month_forecast(days: Mapping[date, Decimal], today: date) -> Decimal | None:
    """The cost in USD of `today`'s month, to the cent; None with fewer than seven known days.

    `days`: the known daily costs, at least of the last 28 days and of this month. Never below what
    the month has cost so far.
    """
    since = today - timedelta(days=WINDOW_DAYS)
    recent = [cost for day, cost in days.items() if since <= day < today]
    if len(recent) < LEAST_DAYS:
        return None
    first = today.replace(day=1)
    over = [cost for day, cost in days.items() if first <= day < today]
    left = calendar.monthrange(today.year, today.month)[1] - len(over)
    mean = sum(recent, Decimal(0)) / len(recent)
    so_far = sum((cost for day, cost in days.items() if first <= day <= today), Decimal(0))
    expected = sum(over, Decimal(0)) + mean * left
    return max(expected, so_far).quantize(_CENT, rounding=ROUND_HALF_UP)
