"""Models, their states, promotions and predictions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import date, datetime, timedelta
from typing import Any

from tidegate_kit.clock import epoch
from tidegate_kit.dynamo import ConditionFailed, Transaction, batch_get, store_errors
from tidegate_kit.errors import NotFound
from tidegate_kit.tenancy import TenantScope, key

from tidegate.lab.domain import Gate, Metrics, Model, PredictedDay, Prediction
from tidegate.lab.errors import PromotedMeanwhile
from tidegate.lab.models import ExperimentItem, ModelItem, PredictionItem, StateItem

_KEEP = timedelta(days=90)


class DynamoModels:
    """Models on DynamoDB."""

    def __init__(self, scope: TenantScope) -> None:
        self._pk = scope.pk

    def all(self) -> list[Model]:
        """See ports.Models."""
        with store_errors():
            found = [
                model_of(item)
                for item in ModelItem.query(
                    self._pk, ModelItem.sk.startswith("MODEL#"), consistent_read=True
                )
            ]
        return sorted(found, key=lambda one: (one.created_at, one.id), reverse=True)

    def get(self, model_id: str) -> Model:
        """See ports.Models."""
        (item,) = batch_get([(ModelItem, self._pk, key("MODEL", model_id))])
        if item is None:
            raise NotFound
        return model_of(item)

    def state(self, model_id: str) -> Mapping[str, Any]:
        """See ports.Models."""
        (item,) = batch_get([(StateItem, self._pk, key("STATE", model_id))])
        if item is None:
            raise NotFound
        state: Mapping[str, Any] = item.state
        return state

    def promote(self, model: Model, former_id: str | None, by: str, at: datetime) -> None:
        """See ports.Models."""
        if former_id == model.id:
            raise PromotedMeanwhile
        noted = ExperimentItem.production_model_id
        writes = Transaction()
        writes.update(
            ExperimentItem(self._pk, key("EXPERIMENT", model.experiment_id)),
            [noted.set(model.id), ExperimentItem.updated_at.set(at)],
            (ExperimentItem.deleting == False)  # noqa: E712 - a condition expression
            & (noted.does_not_exist() if former_id is None else noted == former_id),
        )
        writes.update(
            self._handle(model.id),
            [
                ModelItem.stage.set("production"),
                ModelItem.promoted_at.set(at),
                ModelItem.promoted_by.set(by),
                # An approval is good for one promotion.
                ModelItem.approval_id.remove(),
                ModelItem.updated_at.set(at),
            ],
            ModelItem.pk.exists() & (ModelItem.stage != "production"),
        )
        if former_id is not None:
            writes.update(
                self._handle(former_id),
                [ModelItem.stage.set("archived"), ModelItem.updated_at.set(at)],
                ModelItem.stage == "production",
            )
        try:
            writes.commit()
        except ConditionFailed as lost:
            raise PromotedMeanwhile from lost

    def note_approval(self, writes: Transaction, model: Model, approval_id: str) -> None:
        """See ports.Models."""
        before = ModelItem.approval_id
        writes.update(
            self._handle(model.id),
            [before.set(approval_id)],
            ModelItem.pk.exists()
            & (
                before.does_not_exist()
                if model.approval_id is None
                else before == model.approval_id
            ),
            name="model",
        )

    def _handle(self, model_id: str) -> ModelItem:
        return ModelItem(self._pk, key("MODEL", model_id))

    def add_prediction(self, prediction: Prediction) -> Prediction:
        """See ports.Models."""
        item = PredictionItem(
            self._pk,
            key("PREDICTION", prediction.id),
            id=prediction.id,
            model_id=prediction.model_id,
            dataset_id=prediction.dataset_id,
            days=[[day.date.isoformat(), *list(vars(day).values())[1:]] for day in prediction.days],
            expires=epoch(prediction.created_at + _KEEP),
            created_at=prediction.created_at,
            updated_at=prediction.created_at,
        )
        try:
            with store_errors():
                item.save(PredictionItem.pk.does_not_exist())
        except ConditionFailed:
            return self.prediction(prediction.id, prediction.created_at)
        return prediction

    def prediction(self, prediction_id: str, now: datetime) -> Prediction:
        """See ports.Models."""
        (item,) = batch_get([(PredictionItem, self._pk, key("PREDICTION", prediction_id))])
        if item is None or int(item.expires) <= epoch(now):
            raise NotFound
        return Prediction(
            id=item.id,
            model_id=item.model_id,
            dataset_id=item.dataset_id,
            days=tuple(
                PredictedDay(date.fromisoformat(day), *figures) for day, *figures in item.days
            ),
            created_at=item.created_at,
        )


def model_item(pk: str, model: Model) -> ModelItem:
    """The item of a new model."""
    return ModelItem(
        pk,
        key("MODEL", model.id),
        id=model.id,
        name=model.name,
        run_id=model.run_id,
        experiment_id=model.experiment_id,
        dataset_id=model.dataset_id,
        model_type=model.model_type,
        version=model.version,
        stage=model.stage,
        metrics=asdict(model.metrics),
        gate=asdict(model.gate),
        trained_until=model.trained_until.isoformat(),
        content_hash=model.content_hash,
        created_at=model.created_at,
        updated_at=model.created_at,
    )


def state_item(pk: str, model: Model, state: Mapping[str, Any]) -> StateItem:
    """The item of a new model's state."""
    return StateItem(
        pk,
        key("STATE", model.id),
        state=dict(state),
        created_at=model.created_at,
        updated_at=model.created_at,
    )


def model_of(item: ModelItem) -> Model:
    """The model of an item."""
    return Model(
        id=item.id,
        name=item.name,
        run_id=item.run_id,
        experiment_id=item.experiment_id,
        dataset_id=item.dataset_id,
        model_type=item.model_type,  # type: ignore[arg-type]
        version=int(item.version),
        stage=item.stage,  # type: ignore[arg-type]
        metrics=Metrics(**item.metrics),
        gate=Gate(**item.gate),
        trained_until=date.fromisoformat(item.trained_until),
        content_hash=item.content_hash,
        created_at=item.created_at,
        promoted_at=item.promoted_at,
        promoted_by=item.promoted_by,
        approval_id=item.approval_id,
    )
