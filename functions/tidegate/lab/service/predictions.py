"""Predictions of trained models."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from tidegate.lab.domain import Model, PredictedDay, Prediction
from tidegate.lab.errors import NoPromotedModel
from tidegate.lab.forecast.base import Z_80, Z_95, State, Step, forecaster
from tidegate.lab.repository.ports import Experiments, Models


class PredictionService:
    """Predictions of one tenant."""

    def __init__(self, experiments: Experiments, models: Models) -> None:
        self._experiments = experiments
        self._models = models

    def model_for(self, model_id: str | None, experiment_id: str | None) -> str:
        """The model asked for, or the experiment's in production.

        Raises NotFound, NoPromotedModel.
        """
        if model_id is not None:
            return model_id
        promoted = self._experiments.get(str(experiment_id)).production_model_id
        if promoted is None:
            raise NoPromotedModel
        return promoted

    def predict(self, prediction_id: str, model_id: str, horizon: int, now: datetime) -> Prediction:
        """Forecast the days after the model's data. Raises NotFound."""
        model = self._models.get(model_id)
        days = days_of(model, self._models.state(model_id), horizon)
        made = Prediction(prediction_id, model.id, model.dataset_id, days, now)
        return self._models.add_prediction(made)

    def get(self, prediction_id: str, now: datetime) -> Prediction:
        """Raises NotFound."""
        return self._models.prediction(prediction_id, now)


def days_of(model: Model, state: State, horizon: int) -> tuple[PredictedDay, ...]:
    """The forecast of the `horizon` days after the model's data."""
    steps = forecaster(model.model_type).predict(state, horizon)
    return tuple(
        _day(model.trained_until + timedelta(days=number), step)
        for number, step in enumerate(steps, 1)
    )


def _day(day: date, step: Step) -> PredictedDay:
    return PredictedDay(
        day,
        mean=_shown(step.mean),
        lower_80=_shown(step.mean - Z_80 * step.sigma),
        upper_80=_shown(step.mean + Z_80 * step.sigma),
        lower_95=_shown(step.mean - Z_95 * step.sigma),
        upper_95=_shown(step.mean + Z_95 * step.sigma),
    )


def _shown(value: float) -> float:
    return round(value, 6)
