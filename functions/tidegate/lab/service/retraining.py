"""Weekly retraining: what learned from costs learns from the latest ones."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from tidegate_kit.clock import Clock
from tidegate_kit.ids import id_from

from tidegate.lab.domain import Experiment
from tidegate.lab.errors import SeriesTooShort
from tidegate.lab.repository.ports import Datasets, Experiments, Models
from tidegate.lab.service.datasets import COST_UNIT, Costs, dataset_from
from tidegate.lab.service.runs import RunRequest, RunService

_BY = "system"


class Retraining:
    """Retrains the experiments of one tenant."""

    def __init__(
        self,
        datasets: Datasets,
        experiments: Experiments,
        models: Models,
        runs: RunService,
        costs: Costs,
        clock: Clock,
    ) -> None:
        self._datasets = datasets
        self._experiments = experiments
        self._models = models
        self._runs = runs
        self._costs = costs
        self._clock = clock

    def retrain(self, trigger: str) -> list[str]:
        """Start a run for each experiment with a production model and a dataset of costs.

        Uploaded data does not change, and equal data gives an equal model (LAB-2). The same
        trigger makes the same datasets and runs. A promotion stays a person's decision.
        """
        return [
            run_id
            for experiment in self._experiments.all()
            if (run_id := self._retrain(experiment, trigger)) is not None
        ]

    def _retrain(self, experiment: Experiment, trigger: str) -> str | None:
        if experiment.production_model_id is None:
            return None
        model = self._models.get(experiment.production_model_id)
        former = self._runs.get(model.run_id)
        request = RunRequest(former.model_type, former.params, former.horizon, former.folds)
        moved = self._refreshed(experiment, trigger)
        if moved is None:
            return None
        run_id = id_from(f"retrain {experiment.id} {trigger}")
        try:
            return self._runs.start(run_id, moved.id, request, _BY).id
        except SeriesTooShort:
            return None  # fewer costs are known than before; the old model goes on

    def _refreshed(self, experiment: Experiment, trigger: str) -> Experiment | None:
        """The experiment on a dataset that ends yesterday; None where it is not of costs."""
        dataset = self._datasets.get(experiment.dataset_id)
        if dataset.cost is None:
            return None
        dataset_id = id_from(f"retrain data {experiment.id} {trigger}")
        if experiment.dataset_id == dataset_id:
            return experiment
        now = self._clock()
        yesterday = now.date() - timedelta(days=1)
        cost = replace(dataset.cost, last=max(dataset.cost.last, yesterday))
        points = self._costs(cost)
        if not points:
            return None
        made = dataset_from(dataset_id, dataset.name, "cost", COST_UNIT, points, now, cost)
        return self._experiments.move(experiment, replace(made, experiments=1), points)
