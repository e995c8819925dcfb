"""Additive Holt-Winters with damped trend, in error-correction form: ETS(A,Ad,A).

    e(t) = y(t) - (l + phi b + s(t-m))
    l' = l + phi b + alpha e        b' = phi b + alpha beta e        s'(t) = s(t-m) + gamma e

Source: Hyndman, Athanasopoulos: Forecasting: Principles and Practice, 3rd ed., 8.3 to 8.5. The
variance of an h-step forecast is sigma^2 (1 + sum over j<h of c(j)^2) with
c(j) = alpha + alpha beta (phi + ... + phi^j) + gamma [j mod m = 0] (Hyndman et al.: Forecasting
with Exponential Smoothing, 2008, table 6.1). Parameters are those of the smallest one-step
squared error on a fixed grid, so a fit is deterministic. A missing day leaves the state as it is.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Any

from tidegate.lab.forecast.base import Forecaster, State, Step, Values, rounded, season_of

ALPHA = (0.01, 0.03, 0.06, 0.1, 0.2, 0.3, 0.45, 0.6, 0.8, 0.95)
BETA = (0.0, 0.02, 0.1, 0.3)
GAMMA = (0.0, 0.02, 0.05, 0.1, 0.2, 0.4)
PHI = (0.9, 0.97, 1.0)
_START_SEASONS = 6  # seasons from which level, slope and pattern start


def fit(values: Values, params: Mapping[str, Any]) -> State:
    """Grid search over all combinations at once; each is one column."""
    import numpy as np

    season = season_of(params)
    y = np.array([math.nan if value is None else value for value in values], dtype=float)
    alpha, beta, gamma, phi = _grid(params)
    level0, slope0, pattern = _start(y, season)
    level = np.full(alpha.size, level0)
    slope = np.full(alpha.size, slope0)
    seasonal = np.repeat(pattern[:, None], alpha.size, axis=1)
    squares = np.zeros(alpha.size)
    counted = 0
    for index, value in enumerate(y):
        phase = index % season
        damped = phi * slope
        base = level + damped
        if math.isnan(value):
            level, slope = base, damped
            continue
        error = value - base - seasonal[phase]
        level = base + alpha * error
        slope = damped + alpha * beta * error
        seasonal[phase] += gamma * error
        if index >= season:  # the first season fits its own starting values
            squares += error * error
            counted += 1
    best = int(np.argmin(squares))
    spare = max(counted - season - 4, 1)
    order = [(len(y) + step) % season for step in range(season)]
    return {
        "season": season,
        "alpha": float(alpha[best]),
        "beta": float(beta[best]),
        "gamma": float(gamma[best]),
        "phi": float(phi[best]),
        "level": rounded(float(level[best])),
        "slope": rounded(float(slope[best])),
        "seasonal": [rounded(float(seasonal[phase][best])) for phase in order],
        "sigma": rounded(math.sqrt(float(squares[best]) / spare)),
    }


def _grid(params: Mapping[str, Any]) -> Any:
    """The combinations tried, as rows alpha, beta, gamma, phi."""
    import numpy as np

    phis = (float(params["damping"]),) if "damping" in params else PHI
    combinations = itertools.product(ALPHA, BETA, GAMMA, phis)
    return np.array([c for c in combinations if c[0] + c[2] <= 1.0]).T


def _start(y: Any, season: int) -> tuple[float, float, Any]:
    """Level before the first day, slope and seasonal pattern, by least squares on some seasons."""
    import numpy as np

    head = y[: min(len(y), _START_SEASONS * season)]
    seen = np.flatnonzero(~np.isnan(head))
    design = np.zeros((seen.size, season + 1))
    design[np.arange(seen.size), seen % season] = 1.0
    design[:, season] = seen + 1.0
    solution, *_ = np.linalg.lstsq(design, head[seen], rcond=None)
    pattern = solution[:season]
    level = float(np.mean(pattern))
    return level, float(solution[season]), pattern - level


def predict(state: State, horizon: int) -> list[Step]:
    """The next `horizon` days."""
    steps: list[Step] = []
    season, phi = state["season"], state["phi"]
    damped, variance = 0.0, 1.0
    for step in range(1, horizon + 1):
        damped += phi**step
        mean = state["level"] + damped * state["slope"] + state["seasonal"][(step - 1) % season]
        steps.append(Step(mean, state["sigma"] * math.sqrt(variance)))
        weight = state["alpha"] * (1 + state["beta"] * damped)
        weight += state["gamma"] * (step % season == 0)
        variance += weight**2
    return steps


FORECASTER = Forecaster(fit, predict, lambda params: 2 * season_of(params))
