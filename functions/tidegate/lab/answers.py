"""Between the wire and the domain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from tidegate.lab import prediction_schemas, schemas
from tidegate.lab.anomalies import Anomaly
from tidegate.lab.domain import (
    CostFilter,
    Dataset,
    Experiment,
    LogLine,
    Metrics,
    Model,
    Point,
    Prediction,
    Run,
)
from tidegate.lab.service.datasets import checked_points
from tidegate.lab.service.runs import Comparison


def points(given: Sequence[schemas.PointModel]) -> list[Point]:
    """Points of a request. Raises Unprocessable naming the rows out of order."""
    return checked_points([Point(one.date, float(one.value)) for one in given])


def cost(given: schemas.CostModel) -> CostFilter:
    """The filter of a request."""
    return CostFilter(given.account_id, given.service, given.usage_type, given.from_, given.to)


def dataset(found: Dataset) -> schemas.DatasetModel:
    """A dataset."""
    return schemas.DatasetModel(
        id=found.id, name=found.name, source=found.source, unit=found.unit,
        point_count=found.point_count, from_=found.first, to=found.last,
        content_hash=found.content_hash, created_at=found.created_at,
    )  # fmt: skip


def experiment(found: Experiment) -> schemas.ExperimentModel:
    """An experiment."""
    return schemas.ExperimentModel(
        id=found.id, name=found.name, description=found.description,
        dataset_id=found.dataset_id, run_count=found.run_count, best_run_id=found.best_run_id,
        created_by=found.created_by, created_at=found.created_at, updated_at=found.updated_at,
    )  # fmt: skip


def log(found: LogLine) -> schemas.LogModel:
    """A line of a log."""
    return schemas.LogModel(**vars(found))


def _metrics(found: Metrics | None) -> schemas.MetricsModel | None:
    return None if found is None else schemas.MetricsModel(**asdict(found))


def run(found: Run) -> schemas.RunModel:
    """A run."""
    duration = None
    if found.completed_at is not None:
        duration = (found.completed_at - found.started_at).total_seconds()
    return schemas.RunModel(
        id=found.id, experiment_id=found.experiment_id, model_type=found.model_type,
        params=dict(found.params), horizon=found.horizon, folds=found.folds, status=found.status,
        metrics=_metrics(found.metrics), baseline_metrics=_metrics(found.baseline_metrics),
        beats_baseline=found.beats_baseline, model_id=found.model_id, error=found.error,
        started_at=found.started_at, completed_at=found.completed_at, duration=duration,
    )  # fmt: skip


def comparison(runs: Sequence[Run], figures: Sequence[Comparison]) -> schemas.ComparisonModel:
    """Runs side by side."""
    return schemas.ComparisonModel(
        runs=[run(one) for one in runs],
        metrics=[
            schemas.ComparedFigure(key=one.key, values=dict(one.values), best=one.best)
            for one in figures
        ],
    )


def model(found: Model) -> schemas.ModelModel:
    """A trained model."""
    return schemas.ModelModel(
        id=found.id, name=found.name, run_id=found.run_id, model_type=found.model_type,
        version=found.version, stage=found.stage,
        metrics=schemas.MetricsModel(**asdict(found.metrics)),
        gate=schemas.GateModel(**asdict(found.gate)),
        created_at=found.created_at, promoted_at=found.promoted_at,
    )  # fmt: skip


def prediction(found: Prediction) -> prediction_schemas.PredictionModel:
    """A prediction."""
    return prediction_schemas.PredictionModel(
        id=found.id, model_id=found.model_id, dataset_id=found.dataset_id,
        predictions=[prediction_schemas.PredictedDayModel(**vars(day)) for day in found.days],
        created_at=found.created_at,
    )  # fmt: skip


def anomalies(
    found: Sequence[Anomaly], threshold: float, checked: int
) -> prediction_schemas.AnomaliesModel:
    """Anomalies of a series."""
    return prediction_schemas.AnomaliesModel(
        anomalies=[
            prediction_schemas.AnomalyModel(
                date=one.date, value=one.value, expected=one.expected, score=one.score,
                direction=one.direction,
                parts=[prediction_schemas.PartModel(**vars(part)) for part in one.parts],
            )
            for one in found
        ],
        threshold=threshold, checked=checked,
    )  # fmt: skip
