"""In-memory twins of the lab's repositories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from tidegate.lab.domain import Dataset, Experiment, LogLine, Model, Point, Prediction, Run
from tidegate.lab.errors import DatasetInUse, PromotedMeanwhile
from tidegate_kit.dynamo import Transaction
from tidegate_kit.errors import NotFound

_KEEP = timedelta(days=90)


@dataclass
class Shelf:
    """Everything of one tenant."""

    datasets: dict[str, tuple[Dataset, tuple[Point, ...]]] = field(default_factory=dict)
    experiments: dict[str, Experiment] = field(default_factory=dict)
    runs: dict[str, Run] = field(default_factory=dict)
    log: dict[tuple[str, str, str, int], LogLine] = field(default_factory=dict)
    models: dict[str, tuple[Model, Mapping[str, Any]]] = field(default_factory=dict)
    predictions: dict[str, Prediction] = field(default_factory=dict)

    def experiment(self, experiment_id: str) -> Experiment:
        """Raises NotFound."""
        if experiment_id not in self.experiments:
            raise NotFound
        return self.experiments[experiment_id]

    def use(self, dataset_id: str, change: int) -> None:
        """Count a use of a dataset. Raises NotFound."""
        if dataset_id not in self.datasets:
            raise NotFound
        dataset, points = self.datasets[dataset_id]
        counted = replace(dataset, experiments=dataset.experiments + change)
        self.datasets[dataset_id] = (counted, points)

    def write(self, run: Run, phase: int, lines: Sequence[LogLine]) -> None:
        """Lines of one phase of a run."""
        for number, line in enumerate(lines):
            place = f"{run.started_at.isoformat()}{run.id}"
            self.log[run.experiment_id, place, run.id, 1000 * phase + number] = line


def _newest(rows: Sequence[Any]) -> list[Any]:
    return sorted(rows, key=lambda row: (row.created_at, row.id), reverse=True)


class MemoryDatasets:
    """See ports.Datasets."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    def all(self) -> list[Dataset]:
        return _newest([dataset for dataset, _ in self._shelf.datasets.values()])

    def get(self, dataset_id: str) -> Dataset:
        return self._row(dataset_id)[0]

    def points(self, dataset_id: str) -> list[Point]:
        return list(self._row(dataset_id)[1])

    def _row(self, dataset_id: str) -> tuple[Dataset, tuple[Point, ...]]:
        if dataset_id not in self._shelf.datasets:
            raise NotFound
        return self._shelf.datasets[dataset_id]

    def add(self, dataset: Dataset, points: Sequence[Point]) -> Dataset:
        self._shelf.datasets.setdefault(dataset.id, (dataset, tuple(points)))
        return self.get(dataset.id)

    def delete(self, dataset_id: str) -> None:
        if self.get(dataset_id).experiments:
            raise DatasetInUse
        del self._shelf.datasets[dataset_id]


class MemoryExperiments:
    """See ports.Experiments."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    def all(self) -> list[Experiment]:
        return _newest(list(self._shelf.experiments.values()))

    def get(self, experiment_id: str) -> Experiment:
        return self._shelf.experiment(experiment_id)

    def add(self, experiment: Experiment) -> Experiment:
        if experiment.id not in self._shelf.experiments:
            self._shelf.use(experiment.dataset_id, +1)
            self._shelf.experiments[experiment.id] = experiment
        return self.get(experiment.id)

    def move(self, experiment: Experiment, dataset: Dataset, points: Sequence[Point]) -> Experiment:
        now = self.get(experiment.id)
        if now.dataset_id == dataset.id:
            return now
        if now.dataset_id != experiment.dataset_id:
            raise NotFound
        self._shelf.datasets[dataset.id] = (dataset, tuple(points))
        self._shelf.experiments[now.id] = replace(
            now, dataset_id=dataset.id, used_datasets=(*now.used_datasets, dataset.id),
            updated_at=dataset.created_at,
        )  # fmt: skip
        return self.get(experiment.id)

    def note_best(self, experiment_id: str, run_id: str, mase: float) -> None:
        found = self._shelf.experiments.get(experiment_id)
        if found is not None and (found.best_mase is None or found.best_mase > mase):
            better = replace(found, best_run_id=run_id, best_mase=mase)
            self._shelf.experiments[experiment_id] = better

    def delete(self, experiment_id: str) -> None:
        gone = self.get(experiment_id)
        shelf = self._shelf
        shelf.runs = {k: v for k, v in shelf.runs.items() if v.experiment_id != gone.id}
        shelf.models = {k: v for k, v in shelf.models.items() if v[0].experiment_id != gone.id}
        shelf.log = {k: v for k, v in shelf.log.items() if k[0] != gone.id}
        del shelf.experiments[gone.id]
        for dataset_id in set(gone.used_datasets):
            shelf.use(dataset_id, -1)


class MemoryRuns:
    """See ports.Runs."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    def add(self, run: Run, line: LogLine) -> Run:
        if run.id not in self._shelf.runs:
            counted = self._shelf.experiment(run.experiment_id)
            self._shelf.experiments[counted.id] = replace(
                counted, run_count=counted.run_count + 1, updated_at=run.started_at
            )
            self._shelf.runs[run.id] = run
            self._shelf.write(run, 0, [line])
        return self.get(run.id)

    def get(self, run_id: str) -> Run:
        if run_id not in self._shelf.runs:
            raise NotFound
        return self._shelf.runs[run_id]

    def get_many(self, run_ids: Sequence[str]) -> list[Run]:
        return [self.get(run_id) for run_id in run_ids]

    def ids_of(self, experiment_id: str) -> list[str]:
        mine = [run for run in self._shelf.runs.values() if run.experiment_id == experiment_id]
        return [run.id for run in sorted(mine, key=lambda r: (r.started_at, r.id), reverse=True)]

    def since(self, moment: datetime) -> list[Run]:
        later = [run for run in self._shelf.runs.values() if run.started_at >= moment]
        return sorted(later, key=lambda run: (run.started_at, run.id))

    def begin(self, run_id: str, line: LogLine, now: datetime) -> Run | None:
        run = self._shelf.runs.get(run_id)
        if run is None or run.over or run.deadline_at <= now:
            return None
        self._shelf.runs[run_id] = replace(run, status="running")
        self._shelf.write(run, 1, [line])
        return self._shelf.runs[run_id]

    def complete(
        self, run: Run, model: Model, state: Mapping[str, Any], lines: Sequence[LogLine]
    ) -> bool:
        found = self._shelf.experiments.get(run.experiment_id)
        if found is None or not self._end(run):
            return False
        version = found.models + 1
        self._shelf.experiments[found.id] = replace(
            found, models=version, updated_at=model.created_at
        )
        numbered = replace(model, version=version, name=f"{model.name} v{version}")
        self._shelf.models[model.id] = (numbered, dict(state))
        self._shelf.write(run, 2, lines)
        return True

    def close(self, run: Run, line: LogLine) -> bool:
        ended = self._end(run)
        if ended:
            self._shelf.write(run, 9, [line])
        return ended

    def _end(self, run: Run) -> bool:
        stored = self._shelf.runs.get(run.id)
        at = run.completed_at or run.started_at
        if stored is None or stored.over or stored.deadline_at <= at:
            return False
        self._shelf.runs[run.id] = run
        return True

    def log(self, experiment_id: str) -> list[LogLine]:
        mine = sorted((k for k in self._shelf.log if k[0] == experiment_id), reverse=True)
        return [self._shelf.log[k] for k in mine]


class MemoryModels:
    """See ports.Models."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    def all(self) -> list[Model]:
        return _newest([model for model, _ in self._shelf.models.values()])

    def get(self, model_id: str) -> Model:
        if model_id not in self._shelf.models:
            raise NotFound
        return self._shelf.models[model_id][0]

    def state(self, model_id: str) -> Mapping[str, Any]:
        self.get(model_id)
        return self._shelf.models[model_id][1]

    def promote(self, model: Model, former_id: str | None, by: str, at: datetime) -> None:
        noted = self._shelf.experiments.get(model.experiment_id)
        stored = self._shelf.models.get(model.id)
        if noted is None or stored is None or noted.production_model_id != former_id:
            raise PromotedMeanwhile
        if stored[0].stage == "production":
            raise PromotedMeanwhile
        self._shelf.experiments[noted.id] = replace(
            noted, production_model_id=model.id, updated_at=at
        )
        self._put(
            replace(stored[0], stage="production", promoted_at=at, promoted_by=by, approval_id=None)
        )
        if former_id is not None:
            self._put(replace(self.get(former_id), stage="archived"))

    def _put(self, model: Model) -> None:
        self._shelf.models[model.id] = (model, self._shelf.models[model.id][1])

    def note_approval(self, writes: Transaction, model: Model, approval_id: str) -> None:
        # Twins have no transactions: what is added is committed.
        self._put(replace(self.get(model.id), approval_id=approval_id))

    def add_prediction(self, prediction: Prediction) -> Prediction:
        return self._shelf.predictions.setdefault(prediction.id, prediction)

    def prediction(self, prediction_id: str, now: datetime) -> Prediction:
        found = self._shelf.predictions.get(prediction_id)
        if found is None or found.created_at + _KEEP <= now:
            raise NotFound
        return found
