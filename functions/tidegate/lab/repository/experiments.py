"""Experiments: their use of datasets, their best run, and their whole end."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

from tidegate_kit.dynamo import (
    ConditionFailed,
    Transaction,
    batch_delete,
    batch_get,
    store_errors,
)
from tidegate_kit.errors import NotFound
from tidegate_kit.tenancy import TenantScope, key

from tidegate.lab.domain import Dataset, Experiment, Point
from tidegate.lab.models import DatasetItem, ExperimentItem, LogItem, ModelItem, RunRow
from tidegate.lab.repository.datasets import add_dataset


class DynamoExperiments:
    """Experiments on DynamoDB."""

    def __init__(self, scope: TenantScope) -> None:
        self._pk = scope.pk

    def all(self) -> list[Experiment]:
        """See ports.Experiments."""
        with store_errors():
            items = list(
                ExperimentItem.query(
                    self._pk, ExperimentItem.sk.startswith("EXPERIMENT#"), consistent_read=True
                )
            )
        found = [experiment_of(item) for item in items if not item.deleting]
        return sorted(found, key=lambda one: (one.created_at, one.id), reverse=True)

    def get(self, experiment_id: str) -> Experiment:
        """See ports.Experiments."""
        item = self._find(experiment_id)
        if item is None or item.deleting:
            raise NotFound
        return experiment_of(item)

    def _find(self, experiment_id: str) -> ExperimentItem | None:
        (item,) = batch_get([(ExperimentItem, self._pk, key("EXPERIMENT", experiment_id))])
        return item

    def _handle(self, experiment_id: str) -> ExperimentItem:
        return ExperimentItem(self._pk, key("EXPERIMENT", experiment_id))

    def add(self, experiment: Experiment) -> Experiment:
        """See ports.Experiments."""
        writes = Transaction()
        writes.save(self._item(experiment), ExperimentItem.pk.does_not_exist(), name="experiment")
        self._use(writes, experiment.dataset_id, +1)
        try:
            writes.commit()
        except ConditionFailed as lost:
            if "experiment" in lost.names:
                return self.get(experiment.id)
            raise NotFound from lost
        return experiment

    def move(self, experiment: Experiment, dataset: Dataset, points: Sequence[Point]) -> Experiment:
        """See ports.Experiments."""
        if experiment.dataset_id == dataset.id:
            return experiment
        writes = Transaction()
        add_dataset(writes, self._pk, dataset, points)
        writes.update(
            self._handle(experiment.id),
            [
                ExperimentItem.dataset_id.set(dataset.id),
                ExperimentItem.used_datasets.set([*experiment.used_datasets, dataset.id]),
                ExperimentItem.updated_at.set(dataset.created_at),
            ],
            (ExperimentItem.dataset_id == experiment.dataset_id)
            & (ExperimentItem.deleting == False),  # noqa: E712 - a condition expression
            name="experiment",
        )
        try:
            writes.commit()
        except ConditionFailed as lost:
            now = self.get(experiment.id)
            if now.dataset_id != dataset.id:
                raise NotFound from lost
            return now
        return self.get(experiment.id)

    def note_best(self, experiment_id: str, run_id: str, mase: float) -> None:
        """See ports.Experiments."""
        better = ExperimentItem.best_mase.does_not_exist() | (ExperimentItem.best_mase > mase)
        # A better run is there already, or the experiment is gone: then there is nothing to note.
        with contextlib.suppress(ConditionFailed), store_errors():
            self._handle(experiment_id).update(
                [ExperimentItem.best_run_id.set(run_id), ExperimentItem.best_mase.set(mase)],
                ExperimentItem.pk.exists() & better,
            )

    def delete(self, experiment_id: str) -> None:
        """See ports.Experiments."""
        item = self._find(experiment_id)
        if item is None:
            raise NotFound
        try:
            with store_errors():
                # From here on it is gone for every reader, and no run can be added.
                item.update([ExperimentItem.deleting.set(True)], ExperimentItem.pk.exists())
        except ConditionFailed as lost:
            raise NotFound from lost
        self._delete_children(experiment_id)
        writes = Transaction()
        writes.delete(self._handle(experiment_id), ExperimentItem.pk.exists(), name="experiment")
        for dataset_id in sorted(set(item.used_datasets)):
            self._use(writes, dataset_id, -1)
        try:
            writes.commit()
        except ConditionFailed as lost:
            raise NotFound from lost

    def _delete_children(self, experiment_id: str) -> None:
        models = self._keys(ModelItem, "MODEL#", ModelItem.experiment_id == experiment_id)
        states = [(pk, sk.replace("MODEL#", "STATE#", 1)) for pk, sk in models]
        with store_errors():
            rows = list(
                RunRow.query(
                    self._pk,
                    RunRow.sk.startswith(key("RUNOF", experiment_id) + "#"),
                    consistent_read=True,
                )
            )
        prefix = key("RUNOF", experiment_id)
        runs = [(self._pk, key("RUN", row.run_id)) for row in rows]
        listed = [(self._pk, row.sk.replace(prefix, "RUNAT", 1)) for row in rows]
        logs = self._keys(LogItem, key("LOG", experiment_id) + "#")
        # The rows that name the others go last: a second attempt finds everything again.
        batch_delete(ModelItem, [*states, *models, *logs, *runs, *listed])
        batch_delete(RunRow, [(row.pk, row.sk) for row in rows])

    def _keys(self, model: type[Any], prefix: str, where: Any = None) -> list[tuple[str, str]]:
        with store_errors():
            found = model.query(
                self._pk, model.sk.startswith(prefix), filter_condition=where, consistent_read=True
            )
            return [(item.pk, item.sk) for item in found]

    def _use(self, writes: Transaction, dataset_id: str, change: int) -> None:
        writes.update(
            DatasetItem(self._pk, key("DATASET", dataset_id)),
            [DatasetItem.experiments.add(change)],
            DatasetItem.pk.exists(),
            name="dataset",
        )

    def _item(self, experiment: Experiment) -> ExperimentItem:
        return ExperimentItem(
            self._pk,
            key("EXPERIMENT", experiment.id),
            id=experiment.id,
            name=experiment.name,
            description=experiment.description,
            dataset_id=experiment.dataset_id,
            used_datasets=list(experiment.used_datasets),
            created_by=experiment.created_by,
            created_at=experiment.created_at,
            updated_at=experiment.updated_at,
        )


def experiment_of(item: ExperimentItem) -> Experiment:
    """The experiment of an item."""
    return Experiment(
        id=item.id,
        name=item.name,
        description=item.description,
        dataset_id=item.dataset_id,
        run_count=int(item.run_count),
        models=int(item.models),
        best_run_id=item.best_run_id,
        best_mase=None if item.best_mase is None else float(item.best_mase),
        production_model_id=item.production_model_id,
        used_datasets=tuple(item.used_datasets),
        created_by=item.created_by,
        created_at=item.created_at,
        updated_at=item.updated_at,
    )
