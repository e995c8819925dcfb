"""What other domains may use of the lab.

Callers need read and write on the table `lab`; predicting needs no numpy.
"""

from __future__ import annotations

from tidegate_kit.clock import Clock, system_clock
from tidegate_kit.tenancy import TenantScope

from tidegate.lab.domain import PredictedDay, Prediction
from tidegate.lab.errors import NoPromotedModel

__all__ = ["NoPromotedModel", "PredictedDay", "Prediction", "predict", "retrain", "running"]


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
    raise NotImplementedError


def retrain(scope: TenantScope, trigger: str, *, clock: Clock = system_clock) -> list[str]:
    """Start a run for every experiment whose production model learned from costs; the run ids.

    The experiment moves on to a dataset that ends yesterday. Again with the same `trigger`: the
    same runs.
    """
    raise NotImplementedError


def running(scope: TenantScope, *, clock: Clock = system_clock) -> tuple[int, int]:
    """Experiments with a living run, and those with a run in the last seven days."""
    raise NotImplementedError


def forget_tenant(scope: TenantScope, limit: int) -> bool:
    """Delete up to `limit` rows of the tenant; True when nothing is left."""
    raise NotImplementedError
