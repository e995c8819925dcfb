"""Seasonal naive: the value of the same day one season ago.

y(T+h) = y(T+h-m(k+1)), k = floor((h-1)/m); sigma(h) = sigma sqrt(k+1), sigma^2 the mean squared
seasonal difference (Hyndman, Athanasopoulos: Forecasting: Principles and Practice, 3rd ed., 5.2
and 5.5). A missing day takes the value of the season before it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from tidegate.lab.forecast.base import Forecaster, State, Step, Values, rounded, season_of


def fit(values: Values, params: Mapping[str, Any]) -> State:
    """The last season and the spread of seasonal differences."""
    season = season_of(params)
    filled = fill(values, season)
    squares = [
        (value - before) ** 2
        for value, before in zip(values[season:], values, strict=False)
        if value is not None and before is not None
    ]
    sigma = math.sqrt(math.fsum(squares) / len(squares)) if squares else 0.0
    return {
        "season": season,
        "last": [rounded(value) for value in filled[-season:]],
        "sigma": rounded(sigma),
    }


def predict(state: State, horizon: int) -> list[Step]:
    """The next `horizon` days."""
    season, last, sigma = state["season"], state["last"], state["sigma"]
    return [
        Step(last[step % season], sigma * math.sqrt(step // season + 1)) for step in range(horizon)
    ]


def fill(values: Values, season: int) -> list[float]:
    """Values with gaps filled from the past alone: a season ago, else the day before.

    A gap at the very start takes the first value there is.
    """
    first = next((value for value in values if value is not None), 0.0)
    filled: list[float] = []
    for index, value in enumerate(values):
        if value is not None:
            filled.append(value)
        elif index >= season:
            filled.append(filled[index - season])
        else:
            filled.append(filled[-1] if filled else first)
    return filled


FORECASTER = Forecaster(fit, predict, lambda params: 2 * season_of(params))
