"""The run-rate of a month (contract 2.8, forecast_month)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from tidegate.accounts.forecast import month_forecast

TODAY = date(2026, 3, 11)


def days(*amounts: str, until: date = TODAY) -> dict[date, Decimal]:
    """The amounts of the days before `until`, the latest first."""
    return {until - timedelta(days=n): Decimal(one) for n, one in enumerate(amounts, start=1)}


def test_known_days_stand_and_the_others_cost_the_mean() -> None:
    known = days(*["3"] * 10, *["1"] * 18)  # ten days of March, the rest of February
    mean = Decimal(10 * 3 + 18 * 1) / 28
    expected = (30 + mean * 21).quantize(Decimal("0.01"))
    assert month_forecast(known, TODAY) == expected


def test_a_day_that_is_not_over_does_not_count() -> None:
    known = days(*["3"] * 10)
    assert month_forecast({**known, TODAY: Decimal("0.5")}, TODAY) == Decimal("93.00")


def test_fewer_than_seven_days_say_nothing() -> None:
    assert month_forecast(days(*["3"] * 6), TODAY) is None
    assert month_forecast(days(*["3"] * 7), TODAY) == Decimal("93.00")
    assert month_forecast({}, TODAY) is None


def test_days_older_than_four_weeks_say_nothing() -> None:
    old = days(*["3"] * 20, until=TODAY - timedelta(days=28))
    assert month_forecast(old, TODAY) is None


def test_it_is_never_below_what_was_spent() -> None:
    known = days(*["1"] * 10, until=date(2026, 3, 31))
    spike = {**known, date(2026, 3, 31): Decimal("500")}
    assert month_forecast(spike, date(2026, 3, 31)) == Decimal("510.00")


amounts = st.decimals(min_value=0, max_value=10**6, places=4)


@given(st.dictionaries(st.dates(date(2026, 2, 1), date(2026, 3, 31)), amounts), st.dates(
    date(2026, 3, 1), date(2026, 3, 31)))  # fmt: skip
@examples(max_examples=50)
def test_it_lies_between_what_was_spent_and_the_dearest_month(
    known: Mapping[date, Decimal], today: date
) -> None:
    found = month_forecast({day: cost for day, cost in known.items() if day <= today}, today)
    spent = sum(
        (cost for day, cost in known.items() if day.month == 3 and day <= today), Decimal(0)
    )
    if found is not None:
        dearest = max(known.values())
        assert spent - Decimal("0.01") <= found <= max(spent, 31 * dearest) + Decimal("0.01")
