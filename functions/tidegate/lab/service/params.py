"""Parameters of the model types: names, ranges, defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tidegate_kit.errors import Detail, Unprocessable

from tidegate.lab.domain import ModelType


@dataclass(frozen=True)
class Range:
    """A number between two bounds, both included; `default` None: chosen from the data."""

    low: float
    high: float
    default: float | None = None
    whole: bool = False


_SEASON = Range(2, 366, 7, whole=True)
PARAMETERS: dict[ModelType, dict[str, Range]] = {
    "seasonal_naive": {"season": _SEASON},
    "holt_winters": {"season": _SEASON, "damping": Range(0.5, 1)},
    "ridge": {
        "season": _SEASON,
        "lags": Range(1, 28, 3, whole=True),
        "penalty": Range(1e-6, 1e9),
    },
}


def checked(model_type: ModelType, given: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters with defaults. Raises Unprocessable naming each that is unknown or wrong."""
    known = PARAMETERS[model_type]
    problems = [
        Detail(f"params.{name}"[:200], f"is not a parameter of {model_type}")
        for name in given
        if name not in known
    ]
    for name, allowed in known.items():
        if name in given and not _fits(given[name], allowed):
            kind = "a whole number" if allowed.whole else "a number"
            text = f"must be {kind} from {allowed.low:g} to {allowed.high:g}"
            problems.append(Detail(f"params.{name}", text))
    if problems:
        raise Unprocessable(details=problems[:50])
    defaults = {name: one.default for name, one in known.items() if one.default is not None}
    return {**defaults, **given}


def _fits(value: Any, allowed: Range) -> bool:
    if isinstance(value, bool) or not isinstance(value, int if allowed.whole else int | float):
        return False
    return bool(allowed.low <= value <= allowed.high)
