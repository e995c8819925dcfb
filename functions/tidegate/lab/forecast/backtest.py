"""Rolling-origin backtest without look-ahead, and the promotion gate (LAB-1).

Each fold fits on the days before its origin alone and is judged on the `horizon` days from there
(Hyndman, Athanasopoulos: Forecasting: Principles and Practice, 3rd ed., 5.10). Origins end a
horizon before the last day and lie a horizon apart, or closer where the series is short.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tidegate.lab.domain import Gate, Metrics, ModelType
from tidegate.lab.forecast.base import Z_80, Z_95, Step, Values, forecaster, season_of
from tidegate.lab.forecast.measures import scale, share, smape

# On noise a model can at best equal the mean, on a random walk the last value; both beat
# seasonal-naive. A model with something to say is this much better than either, and in most folds:
# Student's t of the folds' differences (Diebold, Mariano: JBES 13, 1995, on folds).
TRIVIAL_SHARE = 0.95
TRIVIAL_T = 1.0

Predict = Callable[[Values, int], list[Step]]


@dataclass(frozen=True)
class Fold:
    """One origin: what a forecaster may see, and what came after."""

    origin: int
    train: tuple[float | None, ...]
    test: tuple[float | None, ...]


@dataclass(frozen=True)
class _Judged:
    """The figures of one forecaster, and its MASE by fold."""

    metrics: Metrics
    by_fold: tuple[float, ...]


@dataclass(frozen=True)
class Backtest:
    """The figures of a model type and of seasonal-naive.

    `trivial_mase` is that of the better one of mean and last value; `structured` says whether the
    model is reliably better than both.
    """

    metrics: Metrics
    baseline: Metrics
    trivial_mase: float
    structured: bool
    folds: int

    @property
    def gate(self) -> Gate:
        """LAB-1, and better than what needs no model at all (docs/adr: promotion gate)."""
        passed = self.metrics.mase < self.baseline.mase and self.structured
        return Gate(passed, self.metrics.mase, self.baseline.mase, self.folds)


def minimum_days(model_type: ModelType, params: Mapping[str, Any], horizon: int, folds: int) -> int:
    """The least number of days that a run needs: one more day of origin for each further fold."""
    least = max(
        forecaster(model_type).minimum(params), forecaster("seasonal_naive").minimum(params)
    )
    return least + horizon + folds - 1


def origins(days: int, least: int, horizon: int, folds: int) -> list[int]:
    """First test days of the folds, rising. Raises ValueError when `days` is too few."""
    room = days - least - horizon
    if room < folds - 1:
        raise ValueError("too few days")
    step = min(horizon, room // (folds - 1))
    return [days - horizon - step * back for back in range(folds - 1, -1, -1)]


def split(values: Values, origin: int, horizon: int) -> Fold:
    """The fold at an origin. Nothing of the test days is in the training days."""
    return Fold(origin, tuple(values[:origin]), tuple(values[origin : origin + horizon]))


def backtest(
    values: Values, model_type: ModelType, params: Mapping[str, Any], horizon: int, folds: int
) -> Backtest:
    """Judge a model type on a series. Raises ValueError when the series is too short."""
    least = minimum_days(model_type, params, horizon, folds) - horizon - folds + 1
    cuts = [
        split(values, origin, horizon) for origin in origins(len(values), least, horizon, folds)
    ]
    season = season_of(params)
    model = _judge(cuts, season, horizon, _trained(model_type, params))
    trivial = [_judge(cuts, season, horizon, simple) for simple in (_last_value, _mean_value)]
    return Backtest(
        metrics=model.metrics,
        baseline=_judge(cuts, season, horizon, _trained("seasonal_naive", params)).metrics,
        trivial_mase=min(other.metrics.mase for other in trivial),
        structured=all(_reliably_better(model, other) for other in trivial),
        folds=len(cuts),
    )


def _reliably_better(model: _Judged, other: _Judged) -> bool:
    if model.metrics.mase >= TRIVIAL_SHARE * other.metrics.mase:
        return False
    gains = [b - a for a, b in zip(model.by_fold, other.by_fold, strict=True)]
    mean = math.fsum(gains) / len(gains)
    if len(gains) < 2:
        return mean > 0
    spread = math.sqrt(math.fsum((gain - mean) ** 2 for gain in gains) / (len(gains) - 1))
    return mean > TRIVIAL_T * spread / math.sqrt(len(gains))


def _trained(model_type: ModelType, params: Mapping[str, Any]) -> Predict:
    kind = forecaster(model_type)
    return lambda train, horizon: kind.predict(kind.fit(train, params), horizon)


def _last_value(train: Values, horizon: int) -> list[Step]:
    last = next((value for value in reversed(train) if value is not None), 0.0)
    return [Step(last, 0.0)] * horizon


def _mean_value(train: Values, horizon: int) -> list[Step]:
    seen = [value for value in train if value is not None]
    return [Step(math.fsum(seen) / len(seen) if seen else 0.0, 0.0)] * horizon


def _judge(cuts: Sequence[Fold], season: int, horizon: int, predict: Predict) -> _Judged:
    """Mean figures over every test day with a value."""
    by_fold: list[float] = []
    scaled: list[float] = []
    actual: list[float] = []
    means: list[float] = []
    in_80: list[bool] = []
    in_95: list[bool] = []
    for fold in cuts:
        unit, before = scale(fold.train, season), len(scaled)
        for value, step in zip(fold.test, predict(fold.train, horizon), strict=True):
            if value is None:
                continue
            error = abs(value - step.mean)
            scaled.append(error / unit)
            actual.append(value)
            means.append(step.mean)
            in_80.append(error <= Z_80 * step.sigma)
            in_95.append(error <= Z_95 * step.sigma)
        if len(scaled) > before:
            by_fold.append(math.fsum(scaled[before:]) / (len(scaled) - before))
    if not scaled:
        raise ValueError("no test day has a value")
    metrics = Metrics(
        mase=round(math.fsum(scaled) / len(scaled), 6),
        smape=round(smape(actual, means), 6),
        coverage_80=round(share(in_80), 6),
        coverage_95=round(share(in_95), 6),
    )
    return _Judged(metrics, tuple(by_fold))
