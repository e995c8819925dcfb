"""POST /ai/predict: the lab's forecast."""

from __future__ import annotations

from tidegate_kit.tenancy import TenantScope

from tidegate.ai import schemas
from tidegate.lab import public as lab


def predicted(
    scope: TenantScope, body: schemas.PredictBody, user_id: str, effect_key: str | None
) -> schemas.PredictionView:
    """A stored forecast. Raises NotFound, NoPromotedModel, ServiceUnavailable."""
    made = lab.predict(
        scope, body.model_id, body.experiment_id, body.horizon, user_id, effect_key=effect_key
    )
    return schemas.PredictionView(
        id=made.id,
        model_id=made.model_id,
        dataset_id=made.dataset_id,
        predictions=[
            schemas.Predicted(
                date=day.date.isoformat(),
                mean=day.mean,
                lower_80=day.lower_80,
                upper_80=day.upper_80,
                lower_95=day.lower_95,
                upper_95=day.upper_95,
            )
            for day in made.days
        ],
        created_at=made.created_at,
    )
