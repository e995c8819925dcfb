"""What other domains may use of the lab.

Callers need read and write on the table `lab` (retraining also read on `pipelines`); predicting
needs no numpy.
"""

from __future__ import annotations

from tidegate_kit.clock import Clock, system_clock
from tidegate_kit.ids import id_from, new_id
from tidegate_kit.tenancy import TenantScope

from tidegate.lab.domain import PredictedDay, Prediction
from tidegate.lab.errors import NoPromotedModel
from tidegate.lab.repository.deletion import delete_some
from tidegate.lab.wiring import services_of

__all__ = [
    "NoPromotedModel",
    "PredictedDay",
    "Prediction",
    "forget_tenant",
    "predict",
    "retrain",
    "running",
]


def predict(
    scope: TenantScope,
    model_id: str | None,
    experiment_id: str | None,
    horizon: int,
    by: str,
    *,
    effect_key: str | None = None,
    clock: Clock = system_clock,
) -> Prediction:
    """Forecast `horizon` days (1..90) with a model, or with an experiment's production model.

    `by` is the user who asks. The same `effect_key` again gives the stored prediction. Raises
    NotFound, NoPromotedModel (409), ServiceUnavailable.
    """
    predictions = services_of(scope, clock).predictions
    chosen = predictions.model_for(model_id, experiment_id)
    prediction_id = id_from(f"{by} {effect_key}") if effect_key else new_id()
    return predictions.predict(prediction_id, chosen, horizon, clock())


def retrain(scope: TenantScope, trigger: str, *, clock: Clock = system_clock) -> list[str]:
    """Start a run for every experiment whose production model learned from costs; the run ids.

    The experiment moves on to a dataset that ends yesterday. Again with the same `trigger`: the
    same runs. Raises ServiceUnavailable.
    """
    return services_of(scope, clock).retraining.retrain(trigger)


def running(scope: TenantScope, *, clock: Clock = system_clock) -> tuple[int, int]:
    """Experiments with a living run, and those with a run in the last seven days."""
    return services_of(scope, clock).runs.counts()


def forget_tenant(scope: TenantScope, limit: int) -> bool:
    """Delete up to `limit` rows of the tenant; True when nothing is left.

    A living run's execution is stopped by the stream when its row goes.
    """
    return delete_some(scope, limit) < limit
