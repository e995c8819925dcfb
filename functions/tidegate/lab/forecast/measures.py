"""Measures of forecasts."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tidegate.lab.forecast.base import Values


def scale(train: Values, season: int) -> float:
    """The mean absolute seasonal difference of the training values: MASE's unit.

    (Hyndman, Koehler: International Journal of Forecasting 22, 2006.) Where it is 0, the mean
    absolute daily difference, else the mean size, else 1 takes its place, so that MASE is finite.
    """
    for lag in (season, 1):
        differences = [
            abs(value - before)
            for value, before in zip(train[lag:], train, strict=False)
            if value is not None and before is not None
        ]
        found = math.fsum(differences) / len(differences) if differences else 0.0
        if found > 0:
            return found
    sizes = [abs(value) for value in train if value is not None]
    return (math.fsum(sizes) / len(sizes) if sizes else 0.0) or 1.0


def smape(actual: Sequence[float], forecast: Sequence[float]) -> float:
    """Symmetric mean absolute percentage error, 0..200; 0 against 0 counts as no error."""
    parts = [
        200 * abs(a - f) / (abs(a) + abs(f)) if a or f else 0.0
        for a, f in zip(actual, forecast, strict=True)
    ]
    return math.fsum(parts) / len(parts)


def share(hits: Sequence[bool]) -> float:
    """The share of True, 0..1."""
    return sum(hits) / len(hits)
