"""What the lab keeps. Dates are calendar days; metrics and values are plain floats."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

Source = Literal["cost", "upload"]
ModelType = Literal["seasonal_naive", "holt_winters", "ridge"]
RunStatus = Literal["queued", "running", "completed", "failed", "cancelled"]
Stage = Literal["candidate", "production", "archived"]
Level = Literal["debug", "info", "warning", "error"]

LIVING: frozenset[RunStatus] = frozenset({"queued", "running"})


@dataclass(frozen=True)
class Point:
    """One day's value."""

    date: date
    value: float


@dataclass(frozen=True)
class CostFilter:
    """Which costs a dataset of source `cost` holds; None means all. Both days are included."""

    account_id: str | None
    service: str | None
    usage_type: str | None
    first: date
    last: date


@dataclass(frozen=True)
class Dataset:
    """A dataset without its points. `experiments` counts those that use it."""

    id: str
    name: str
    source: Source
    unit: str | None
    point_count: int
    first: date
    last: date
    content_hash: str
    experiments: int
    created_at: datetime
    cost: CostFilter | None = None


@dataclass(frozen=True)
class Experiment:
    """Runs on a dataset. `best_mase` belongs to `best_run_id`, `models` counts versions.

    Retraining moves an experiment to a newer dataset; `used_datasets` holds all it ever used.
    """

    id: str
    name: str
    description: str
    dataset_id: str
    run_count: int
    models: int
    best_run_id: str | None
    best_mase: float | None
    production_model_id: str | None
    used_datasets: tuple[str, ...]
    created_by: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True)
class Metrics:
    """Backtest figures: mase without unit, smape in percent (0..200), coverages in 0..1."""

    mase: float
    smape: float
    coverage_80: float
    coverage_95: float


@dataclass(frozen=True)
class Run:
    """One training with its backtest."""

    id: str
    experiment_id: str
    dataset_id: str
    model_type: ModelType
    params: Mapping[str, Any]
    horizon: int
    folds: int
    status: RunStatus
    created_by: str
    started_at: datetime
    deadline_at: datetime
    completed_at: datetime | None = None
    metrics: Metrics | None = None
    baseline_metrics: Metrics | None = None
    beats_baseline: bool | None = None
    model_id: str | None = None
    error: str | None = None

    @property
    def over(self) -> bool:
        """True once the status is final."""
        return self.status not in LIVING


@dataclass(frozen=True)
class Gate:
    """The promotion gate (LAB-1): backtest of the model against seasonal-naive, same folds."""

    passed: bool
    mase: float
    baseline_mase: float
    folds: int


@dataclass(frozen=True)
class Model:
    """A trained model without its state."""

    id: str
    name: str
    run_id: str
    experiment_id: str
    dataset_id: str
    model_type: ModelType
    version: int
    stage: Stage
    metrics: Metrics
    gate: Gate
    trained_until: date
    content_hash: str
    created_at: datetime
    promoted_at: datetime | None = None
    promoted_by: str | None = None
    approval_id: str | None = None


@dataclass(frozen=True)
class PredictedDay:
    """A forecast of one day with central 80 % and 95 % intervals."""

    date: date
    mean: float
    lower_80: float
    upper_80: float
    lower_95: float
    upper_95: float


@dataclass(frozen=True)
class Prediction:
    """A stored forecast."""

    id: str
    model_id: str
    dataset_id: str
    days: tuple[PredictedDay, ...]
    created_at: datetime


@dataclass(frozen=True)
class LogLine:
    """A line of an experiment's log."""

    timestamp: datetime
    run_id: str
    level: Level
    message: str
