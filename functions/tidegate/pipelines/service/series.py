"""Reading the cost series."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal

from tidegate.pipelines.domain import PRECEDENCE, CostPoint, DayCosts, RatedLine, Source
from tidegate.pipelines.repository import CostSeries


def cost_series(
    store: CostSeries,
    account_id: str | None,
    service: str | None,
    usage_type: str | None,
    start: date,
    end: date,
) -> list[CostPoint]:
    """Costs by day, both ends included. A day that no account knows is absent, not zero (LAB-3)."""
    accounts = store.accounts() if account_id is None else [account_id]
    found: dict[date, Decimal] = {}
    for account in accounts:
        if service is None and usage_type is None:
            known = best_totals(store.totals(account, start, end))
        else:
            chosen = best_days(store.days(account, start, end))
            known = {day: costs.amount(service, usage_type) for day, costs in chosen.items()}
        for day, amount in known.items():
            found[day] = found.get(day, Decimal(0)) + amount
    return [CostPoint(day, found[day]) for day in sorted(found)]


def rated_costs(store: CostSeries, account_id: str, start: date, end: date) -> list[RatedLine]:
    """Lines whose list cost is known, both ends included, by date."""
    chosen = best_days(store.days(account_id, start, end))
    return [
        RatedLine(day, line, cost)
        for day in sorted(chosen)
        for line, cost in sorted(chosen[day].rated.items())
    ]


def month_costs(store: CostSeries, today: date) -> tuple[Decimal | None, Decimal | None]:
    """(this month so far, last month); None where no day is known (CLI-1)."""
    first = today.replace(day=1)
    before = (first - timedelta(days=1)).replace(day=1)
    points = cost_series(store, None, None, None, before, today)
    this = [point.amount for point in points if point.date >= first]
    last = [point.amount for point in points if point.date < first]
    return (sum(this, Decimal(0)) if this else None, sum(last, Decimal(0)) if last else None)


def best_days(days: Iterable[DayCosts]) -> dict[date, DayCosts]:
    """One source for each day, the one that counts."""
    best: dict[date, DayCosts] = {}
    for day in sorted(days, key=lambda one: PRECEDENCE.index(one.source)):
        best[day.date] = day
    return best


def best_totals(totals: Iterable[tuple[date, Source, Decimal]]) -> dict[date, Decimal]:
    """As `best_days`, for sums."""
    ordered = sorted(totals, key=lambda one: PRECEDENCE.index(one[1]))
    return {day: amount for day, _, amount in ordered}
