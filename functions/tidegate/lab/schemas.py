"""Requests and answers of contract 2.12."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PlainSerializer, StringConstraints, model_validator
from tidegate_kit.http import ApiModel, PageFields, RequestModel, Text, Timestamp
from tidegate_kit.http.schema import NotNull

from tidegate.lab.domain import Level, ModelType, RunStatus, Source, Stage
from tidegate.lab.series import MAX_POINTS, MAX_VALUE

Name = Annotated[Text, StringConstraints(min_length=1, max_length=200)]
Description = Annotated[Text, StringConstraints(max_length=2000)]
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
Short = Annotated[Text, StringConstraints(min_length=1, max_length=200)]


def _day(value: object) -> object:
    """YYYY-MM-DD alone: no time, no week dates, no digits without dashes."""
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        raise ValueError("must be a date as YYYY-MM-DD")
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise ValueError("must be a date as YYYY-MM-DD") from None


Day = Annotated[date, BeforeValidator(_day, json_schema_input_type=date)]
DayText = Annotated[date, PlainSerializer(date.isoformat, return_type=str)]
Number = Annotated[float, Field(ge=-MAX_VALUE, le=MAX_VALUE, allow_inf_nan=False, strict=False)]


def _not_bool(value: object) -> object:
    if isinstance(value, bool | str):
        raise ValueError("must be a number")
    return value


Value = Annotated[Number, BeforeValidator(_not_bool, json_schema_input_type=float)]


# Ids in bodies: another spelling is answered as an absent one (B3), so only the size is checked.
Id = Annotated[str, StringConstraints(min_length=1, max_length=100)]


class PointModel(RequestModel):
    """One day's value."""

    date: Day
    value: Value


Points = Annotated[list[PointModel], Field(min_length=1, max_length=MAX_POINTS)]


class CostModel(RequestModel):
    """Which costs: null or absent means all; both days are included."""

    account_id: Annotated[
        str | None, NotNull, Field(pattern=r"^\d{12}$", examples=["111122223333"])
    ] = None
    service: Annotated[Short | None, NotNull] = None
    usage_type: Annotated[Short | None, NotNull] = None
    from_: Annotated[Day, Field(alias="from")]
    to: Day

    @model_validator(mode="after")
    def _check(self) -> CostModel:
        if self.to < self.from_:
            raise ValueError("to is before from")
        if (self.to - self.from_).days >= MAX_POINTS:
            raise ValueError(f"from and to are more than {MAX_POINTS} days apart")
        return self


class DatasetCreate(RequestModel):
    """POST /lab/datasets."""

    name: Name
    source: Source
    cost: Annotated[CostModel | None, NotNull] = None
    points: Annotated[Points | None, NotNull] = None
    unit: Annotated[Short | None, NotNull] = None

    @model_validator(mode="after")
    def _check(self) -> DatasetCreate:
        if self.source == "cost" and (self.cost is None or self.points is not None):
            raise ValueError("a dataset of costs needs cost and has no points")
        if self.source == "upload" and (self.points is None or self.cost is not None):
            raise ValueError("an uploaded dataset needs points and has no cost")
        return self


class DatasetModel(ApiModel):
    """A dataset."""

    id: str
    name: str
    source: Source
    unit: str | None
    point_count: int
    from_: Annotated[DayText, Field(serialization_alias="from")]
    to: DayText
    content_hash: str
    created_at: Timestamp


class DatasetList(PageFields):
    """GET /lab/datasets."""

    datasets: list[DatasetModel]


class ExperimentCreate(RequestModel):
    """POST /lab/experiments."""

    name: Name
    description: Description = ""
    dataset_id: Id


class ExperimentModel(ApiModel):
    """An experiment."""

    id: str
    name: str
    description: str
    dataset_id: str
    run_count: int
    best_run_id: str | None
    created_by: str
    created_at: Timestamp
    updated_at: Timestamp


class ExperimentList(PageFields):
    """GET /lab/experiments."""

    experiments: list[ExperimentModel]


class LogModel(ApiModel):
    """A line of an experiment's log."""

    timestamp: Timestamp
    run_id: str
    level: Level
    message: str


class LogList(PageFields):
    """GET /lab/experiments/{id}/logs."""

    logs: list[LogModel]


class RunCreate(RequestModel):
    """POST /lab/experiments/{id}/runs."""

    model_type: ModelType
    params: dict[str, Any] = {}
    horizon: Annotated[int, Field(ge=1, le=90)] = 14
    folds: Annotated[int, Field(ge=3, le=20)] = 5


class MetricsModel(ApiModel):
    """mase has no unit, smape is in percent (0..200), coverages are shares (0..1)."""

    mase: float
    smape: float
    coverage_80: float
    coverage_95: float


class RunModel(ApiModel):
    """A run. `duration` in seconds."""

    id: str
    experiment_id: str
    model_type: ModelType
    params: dict[str, Any]
    horizon: int
    folds: int
    status: RunStatus
    metrics: MetricsModel | None
    baseline_metrics: MetricsModel | None
    beats_baseline: bool | None
    model_id: str | None
    error: str | None
    started_at: Timestamp
    completed_at: Timestamp | None
    duration: float | None


class RunList(PageFields):
    """GET /lab/experiments/{id}/runs."""

    runs: list[RunModel]


class ComparedFigure(ApiModel):
    """One figure of several runs by run id; `best` is a run id."""

    key: str
    values: dict[str, float]
    best: str | None


class ComparisonModel(ApiModel):
    """GET /lab/compare."""

    runs: list[RunModel]
    metrics: list[ComparedFigure]


class GateModel(ApiModel):
    """The promotion gate (LAB-1)."""

    passed: bool
    mase: float
    baseline_mase: float
    folds: int


class ModelModel(ApiModel):
    """A trained model."""

    id: str
    name: str
    run_id: str
    model_type: ModelType
    version: int
    stage: Stage
    metrics: MetricsModel
    gate: GateModel
    created_at: Timestamp
    promoted_at: Timestamp | None


class ModelList(PageFields):
    """GET /lab/models."""

    models: list[ModelModel]


class Promote(RequestModel):
    """POST /lab/models/{id}/promote."""

    reason: Annotated[Text | None, NotNull, Field(min_length=1, max_length=2000)] = None


class Deleted(ApiModel):
    """Answer of a DELETE."""

    id: str
    deleted: Literal[True] = True
