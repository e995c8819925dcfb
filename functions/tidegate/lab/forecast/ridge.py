"""Ridge regression on the calendar and the recent past, rolled forward a day at a time.

y(t) ~ a + trend t + effect of the day in the season + sum over lags of w(k) y(t-k)

The weights shrink towards one of three simple forecasts, the anchor: the mean, the day before, the
day a season ago. Anchor and penalty (unless given) are those with the smallest generalised
cross-validation score on a fixed grid: GCV = n RSS / (n - edf)^2 (Golub, Heath, Wahba:
Technometrics 21, 1979), by one singular value decomposition of the standardised features (Hastie,
Tibshirani, Friedman: The Elements of Statistical Learning, 2nd ed., 3.4.1). The error of an
h-step forecast has the variance sigma^2 (psi(0)^2 + ... + psi(h-1)^2), psi(0) = 1, psi(j) = sum
over k of w(k) psi(j-k) (Box, Jenkins: Time Series Analysis, 5.2).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from tidegate.lab.forecast.base import Forecaster, State, Step, Values, rounded, season_of
from tidegate.lab.forecast.seasonal_naive import fill

PENALTIES = (0.1, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0, 10000.0, 1e5)
_DEFAULT_LAGS = 3


def fit(values: Values, params: Mapping[str, Any]) -> State:
    """Weights of trend, season and lags in the series' own units."""
    import numpy as np

    season = season_of(params)
    lags = lags_of(params)
    deepest = max(lags)
    y = np.array(fill(values, season), dtype=float)
    rows = np.array([i for i in range(deepest, len(y)) if values[i] is not None])
    columns = [rows.astype(float)]
    columns += [(rows % season == phase).astype(float) for phase in range(season)]
    columns += [y[rows - lag] for lag in lags]
    features = np.column_stack(columns)
    centre = features.mean(axis=0)
    spread = features.std(axis=0)
    spread[spread == 0] = 1.0
    bases = {None: np.zeros(rows.size), 1: y[rows - 1], season: y[rows - season]}
    targets = {anchor: y[rows] - base for anchor, base in bases.items()}
    anchor, weights, sigma = _solve((features - centre) / spread, targets, params.get("penalty"))
    weights = weights / spread
    intercept = float(targets[anchor].mean()) - float(centre @ weights)
    if anchor is not None:
        weights[1 + season + lags.index(anchor)] += 1.0
    return {
        "season": season,
        "length": len(y),
        "intercept": rounded(intercept),
        "trend": rounded(float(weights[0])),
        "effects": [rounded(float(w)) for w in weights[1 : season + 1]],
        "lags": list(lags),
        "weights": [rounded(float(w)) for w in weights[season + 1 :]],
        "tail": [rounded(float(v)) for v in y[-deepest:]],
        "sigma": rounded(sigma),
    }


def lags_of(params: Mapping[str, Any]) -> tuple[int, ...]:
    """The days back that are features: the last few, and the same day a season ago."""
    season = season_of(params)
    recent = int(params.get("lags", _DEFAULT_LAGS))
    return tuple(sorted({*range(1, recent + 1), season}))


def _solve(
    features: Any, targets: Mapping[int | None, Any], penalty: float | None
) -> tuple[int | None, Any, float]:
    """The best anchor, its weights of the standardised features, the residual's deviation."""
    import numpy as np

    u, d, vt = np.linalg.svd(features, full_matrices=False)
    best: tuple[float, int | None, Any, float] | None = None
    for anchor, target in targets.items():
        centred = target - target.mean()
        projected = u.T @ centred
        for strength in (penalty,) if penalty is not None else PENALTIES:
            shrink = d**2 / (d**2 + strength)
            residual = centred - u @ (shrink * projected)
            rss = float(residual @ residual)
            spare = max(centred.size - 1.0 - float(shrink.sum()), 1.0)
            score = centred.size * rss / spare**2
            if best is None or score < best[0]:
                weights = vt.T @ (d / (d**2 + strength) * projected)
                best = (score, anchor, weights, math.sqrt(rss / spare))
    assert best is not None  # noqa: S101 - the grid is not empty
    return best[1:]


def predict(state: State, horizon: int) -> list[Step]:
    """The next `horizon` days; a forecast day is the lag of later ones."""
    known, lags, weights = list(state["tail"]), state["lags"], state["weights"]
    psi: list[float] = []
    steps: list[Step] = []
    variance = 0.0
    for step in range(horizon):
        index = state["length"] + step
        mean = state["intercept"] + state["trend"] * index
        mean += state["effects"][index % state["season"]]
        mean += sum(w * known[-lag] for lag, w in zip(lags, weights, strict=True))
        known.append(mean)
        pulse = 1.0 if step == 0 else 0.0
        pulse += sum(
            w * psi[step - lag] for lag, w in zip(lags, weights, strict=True) if lag <= step
        )
        psi.append(pulse)
        variance += pulse**2
        steps.append(Step(mean, state["sigma"] * math.sqrt(variance)))
    return steps


FORECASTER = Forecaster(
    fit, predict, lambda params: max(3 * season_of(params), 2 * max(lags_of(params)) + 2)
)
