"""Bodies and answers of predictions and anomalies."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator
from tidegate_kit.http import ApiModel, RequestModel, Timestamp
from tidegate_kit.http.schema import NotNull

from tidegate.lab.schemas import DayText, Id, Points, Value


class Predict(RequestModel):
    """POST /lab/models/{id}/predictions."""

    horizon: Annotated[int, Field(ge=1, le=90)] = 14


class PredictedDayModel(ApiModel):
    """A forecast of one day with central intervals."""

    date: DayText
    mean: float
    lower_80: float
    upper_80: float
    lower_95: float
    upper_95: float


class PredictionModel(ApiModel):
    """A prediction."""

    id: str
    model_id: str
    dataset_id: str
    predictions: list[PredictedDayModel]
    created_at: Timestamp


class AnomalyRequest(RequestModel):
    """POST /lab/anomalies."""

    dataset_id: Annotated[Id | None, NotNull] = None
    points: Annotated[Points | None, NotNull] = None
    threshold: Annotated[Value, Field(gt=0, le=1000, description="Robust standard deviations.")] = (
        3.5
    )
    season: Annotated[int, Field(ge=1, le=366, description="Days; 1 means none.")] = 7

    @model_validator(mode="after")
    def _check(self) -> AnomalyRequest:
        if (self.dataset_id is None) == (self.points is None):
            raise ValueError("give either dataset_id or points")
        return self


class PartModel(ApiModel):
    """A named share of an anomaly's difference."""

    name: Literal["level_shift", "spike"]
    delta: float


class AnomalyModel(ApiModel):
    """A day far from what was expected; the parts add up to value - expected."""

    date: DayText
    value: float
    expected: float
    score: float
    direction: Literal["up", "down"]
    parts: list[PartModel]


class AnomaliesModel(ApiModel):
    """POST /lab/anomalies; `checked` counts the days looked at."""

    anomalies: list[AnomalyModel]
    threshold: float
    checked: int
