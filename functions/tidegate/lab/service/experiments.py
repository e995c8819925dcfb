"""Experiments."""

from __future__ import annotations

from tidegate_kit.clock import Clock

from tidegate.lab.domain import Experiment
from tidegate.lab.repository.ports import Experiments


class ExperimentService:
    """Experiments of one tenant."""

    def __init__(self, experiments: Experiments, clock: Clock) -> None:
        self._experiments = experiments
        self._clock = clock

    def all(self) -> list[Experiment]:
        """Newest first."""
        return self._experiments.all()

    def get(self, experiment_id: str) -> Experiment:
        """Raises NotFound."""
        return self._experiments.get(experiment_id)

    def create(
        self, experiment_id: str, name: str, description: str, dataset_id: str, by: str
    ) -> Experiment:
        """A new experiment on a dataset. Raises NotFound for the dataset."""
        now = self._clock()
        made = Experiment(
            id=experiment_id, name=name, description=description, dataset_id=dataset_id,
            run_count=0, models=0, best_run_id=None, best_mase=None, production_model_id=None,
            used_datasets=(dataset_id,), created_by=by, created_at=now, updated_at=now,
        )  # fmt: skip
        return self._experiments.add(made)

    def delete(self, experiment_id: str) -> None:
        """Delete it with its runs, logs and models; living runs are stopped. Raises NotFound."""
        self._experiments.delete(experiment_id)
