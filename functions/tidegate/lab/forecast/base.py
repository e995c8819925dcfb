"""What a forecasting model is, and which there are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tidegate.lab.domain import ModelType

State = Mapping[str, Any]
Values = Sequence[float | None]

# Two-sided quantiles of the normal distribution.
Z_80 = 1.2815515655446004
Z_95 = 1.959963984540054


@dataclass(frozen=True)
class Step:
    """A forecast of one step: its mean and the standard deviation of its error."""

    mean: float
    sigma: float


@dataclass(frozen=True)
class Forecaster:
    """A model type. `fit` sees training values alone and gives a JSON state; `predict` reads it.

    `minimum(params)` is the least number of days to fit.
    """

    fit: Callable[[Values, Mapping[str, Any]], State]
    predict: Callable[[State, int], list[Step]]
    minimum: Callable[[Mapping[str, Any]], int]


def forecaster(model_type: ModelType) -> Forecaster:
    """The model of a type."""
    from tidegate.lab.forecast import holt_winters, ridge, seasonal_naive

    return {
        "seasonal_naive": seasonal_naive.FORECASTER,
        "holt_winters": holt_winters.FORECASTER,
        "ridge": ridge.FORECASTER,
    }[model_type]


def season_of(params: Mapping[str, Any]) -> int:
    """The season's length in days."""
    return int(params["season"])


def rounded(value: float) -> float:
    """Twelve significant digits: equal inputs give equal states on every machine (LAB-2)."""
    return float(f"{value:.12g}")
