"""The lab's repositories on DynamoDB and their in-memory twins, under one suite."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import pytest
from tidegate.lab.domain import (
    Dataset,
    Experiment,
    Gate,
    LogLine,
    Metrics,
    Model,
    Point,
    PredictedDay,
    Prediction,
    Run,
)
from tidegate.lab.errors import DatasetInUse, PromotedMeanwhile
from tidegate.lab.repository.datasets import DynamoDatasets
from tidegate.lab.repository.experiments import DynamoExperiments
from tidegate.lab.repository.models import DynamoModels
from tidegate.lab.repository.ports import Datasets, Experiments, Models, Runs
from tidegate.lab.repository.runs import DynamoRuns
from tidegate.lab.service.datasets import dataset_from
from tidegate_kit.clock import FixedClock
from tidegate_kit.dynamo import Transaction
from tidegate_kit.errors import NotFound
from tidegate_kit.ids import new_id
from tidegate_kit.tenancy import TenantScope

from tests.builders.lab import START, wave
from tests.fakes.lab import MemoryDatasets, MemoryExperiments, MemoryModels, MemoryRuns, Shelf

NOW = FixedClock()()
FIGURES = Metrics(0.8, 3.25, 0.79, 0.95)
POINTS = [Point(START + timedelta(days=n), v) for n, v in enumerate(wave(60))]


@dataclass
class Stores:
    """The four repositories of one tenant."""

    datasets: Datasets
    experiments: Experiments
    runs: Runs
    models: Models

    def dataset(self, **changes: Any) -> Dataset:
        made = dataset_from(new_id(), "Costs", "upload", None, POINTS, NOW, None)
        return self.datasets.add(replace(made, **changes), POINTS)

    def experiment(self, dataset: Dataset | None = None) -> Experiment:
        dataset_id = (dataset or self.dataset()).id
        return self.experiments.add(
            Experiment(
                new_id(),
                "Try",
                "",
                dataset_id,
                0,
                0,
                None,
                None,
                None,
                (dataset_id,),
                "u",
                NOW,
                NOW,
            )
        )

    def run(self, experiment: Experiment, minutes: int = 0) -> Run:
        at = NOW + timedelta(minutes=minutes)
        made = Run(
            new_id(), experiment.id, experiment.dataset_id, "ridge", {"season": 7}, 14, 5,
            "queued", "u", at, at + timedelta(minutes=30),
        )  # fmt: skip
        return self.runs.add(made, LogLine(at, made.id, "info", "queued"))

    def complete(self, run: Run, mase: float = 0.8) -> Model | None:
        at = run.started_at + timedelta(minutes=1)
        ended = replace(
            run, status="completed", completed_at=at, metrics=replace(FIGURES, mase=mase),
            baseline_metrics=FIGURES, beats_baseline=True, model_id=new_id(),
        )  # fmt: skip
        model = Model(
            str(ended.model_id), "ridge", run.id, run.experiment_id, run.dataset_id, "ridge", 0,
            "candidate", FIGURES, Gate(True, 0.8, 1.0, 5), date(2026, 3, 1), "hash", at,
        )  # fmt: skip
        done = self.runs.complete(ended, model, {"w": [1.5]}, [LogLine(at, run.id, "info", "done")])
        return self.models.get(model.id) if done else None


def dynamo(platform: Any) -> Stores:
    scope = TenantScope(new_id())
    return Stores(
        DynamoDatasets(scope), DynamoExperiments(scope), DynamoRuns(scope), DynamoModels(scope)
    )


def memory(platform: Any) -> Stores:
    shelf = Shelf()
    return Stores(
        MemoryDatasets(shelf), MemoryExperiments(shelf), MemoryRuns(shelf), MemoryModels(shelf)
    )


@pytest.fixture(params=[dynamo, memory], ids=["dynamo", "memory"])
def stores(request: pytest.FixtureRequest, platform: Any) -> Stores:
    make: Callable[[Any], Stores] = request.param
    return make(platform)


def test_a_dataset_comes_back_whole_and_once(stores: Stores) -> None:
    made = stores.dataset()
    assert stores.datasets.get(made.id) == made
    assert stores.datasets.points(made.id) == POINTS
    again = stores.datasets.add(replace(made, name="other"), POINTS[:3])
    assert again == made, "a stored id stays as it is"
    newer = stores.dataset(created_at=NOW + timedelta(hours=1))
    assert [row.id for row in stores.datasets.all()] == [newer.id, made.id]
    stores.datasets.delete(made.id)
    for read in (stores.datasets.get, stores.datasets.points, stores.datasets.delete):
        with pytest.raises(NotFound):
            read(made.id)


def test_a_dataset_in_use_stays(stores: Stores) -> None:
    dataset = stores.dataset()
    experiment = stores.experiment(dataset)
    assert stores.datasets.get(dataset.id).experiments == 1
    with pytest.raises(DatasetInUse):
        stores.datasets.delete(dataset.id)
    stores.experiments.delete(experiment.id)
    stores.datasets.delete(dataset.id)


def test_an_experiment_needs_its_dataset(stores: Stores) -> None:
    gone = stores.dataset()
    stores.datasets.delete(gone.id)
    with pytest.raises(NotFound):
        stores.experiment(gone)
    assert stores.experiments.all() == []


def test_an_experiment_is_stored_once(stores: Stores) -> None:
    made = stores.experiment()
    assert stores.experiments.add(replace(made, name="other")) == made
    assert stores.datasets.get(made.dataset_id).experiments == 1
    assert stores.experiments.get(made.id) == made
    assert stores.experiments.all() == [made]


def test_runs_are_counted_and_listed_newest_first(stores: Stores) -> None:
    experiment = stores.experiment()
    runs = [stores.run(experiment, minutes) for minutes in range(3)]
    assert stores.runs.add(runs[0], LogLine(NOW, runs[0].id, "info", "again")) == runs[0]
    assert stores.experiments.get(experiment.id).run_count == 3
    assert stores.runs.ids_of(experiment.id) == [run.id for run in reversed(runs)]
    assert stores.runs.get_many([runs[2].id, runs[0].id]) == [runs[2], runs[0]]
    assert stores.runs.since(NOW + timedelta(minutes=1)) == runs[1:]
    assert [line.run_id for line in stores.runs.log(experiment.id)] == [
        run.id for run in reversed(runs)
    ]
    with pytest.raises(NotFound):
        stores.runs.get_many([runs[0].id, new_id()])
    with pytest.raises(NotFound):
        stores.run(replace(experiment, id=new_id()))


def test_a_run_ends_once(stores: Stores) -> None:
    experiment = stores.experiment()
    run = stores.run(experiment)
    line = LogLine(NOW, run.id, "info", "started")
    begun = stores.runs.begin(run.id, line, NOW)
    assert begun is not None
    assert begun.status == "running"
    assert stores.runs.begin(run.id, line, NOW) == begun, "a task may come again"
    model = stores.complete(begun)
    assert model is not None
    assert (model.version, model.name, model.stage) == (1, "ridge v1", "candidate")
    assert stores.models.state(model.id) == {"w": [1.5]}
    stored = stores.runs.get(run.id)
    assert (stored.status, stored.model_id, stored.metrics) == ("completed", model.id, FIGURES)
    assert stores.complete(begun) is None, "no second model"
    cancelled = replace(run, status="cancelled", completed_at=NOW)
    assert stores.runs.close(cancelled, line) is False
    assert stores.runs.begin(run.id, line, NOW) is None
    assert [one.message for one in stores.runs.log(experiment.id)] == ["done", "started", "queued"]


def test_a_cancelled_run_leaves_no_model(stores: Stores) -> None:
    run = stores.run(stores.experiment())
    cancelled = replace(run, status="cancelled", completed_at=NOW)
    assert stores.runs.close(cancelled, LogLine(NOW, run.id, "warning", "cancelled"))
    assert stores.complete(run) is None
    assert stores.models.all() == []
    assert stores.runs.get(run.id) == cancelled


def test_nothing_ends_after_the_deadline(stores: Stores) -> None:
    run = stores.run(stores.experiment())
    late = replace(run, status="failed", completed_at=run.deadline_at, error="late")
    line = LogLine(NOW, run.id, "error", "late")
    assert stores.runs.close(late, line) is False
    assert stores.runs.begin(run.id, line, run.deadline_at) is None


def test_versions_count_within_an_experiment(stores: Stores) -> None:
    experiment = stores.experiment()
    models = [stores.complete(stores.run(experiment, minutes)) for minutes in range(2)]
    assert [model.version for model in models if model] == [1, 2]
    assert [model.version for model in stores.models.all()] == [2, 1]


def test_the_best_run_is_the_one_with_the_smallest_mase(stores: Stores) -> None:
    experiment = stores.experiment()
    for run_id, mase in (("a", 0.9), ("b", 0.7), ("c", 0.8), ("d", 0.7)):
        stores.experiments.note_best(experiment.id, run_id, mase)
    found = stores.experiments.get(experiment.id)
    assert (found.best_run_id, found.best_mase) == ("b", 0.7)
    stores.experiments.note_best(new_id(), "x", 0.1)  # gone: nothing to note


def test_one_model_is_in_production(stores: Stores) -> None:
    experiment = stores.experiment()
    first, second = (stores.complete(stores.run(experiment, n)) for n in range(2))
    assert first
    assert second
    stores.models.promote(first, None, "u", NOW)
    with pytest.raises(PromotedMeanwhile):
        stores.models.promote(second, None, "u", NOW)
    stores.models.promote(second, first.id, "u", NOW)
    with pytest.raises(PromotedMeanwhile):
        stores.models.promote(second, second.id, "u", NOW)
    assert [model.stage for model in stores.models.all()] == ["production", "archived"]
    assert stores.experiments.get(experiment.id).production_model_id == second.id


def test_an_approval_is_good_for_one_promotion(stores: Stores) -> None:
    model = stores.complete(stores.run(stores.experiment()))
    assert model
    writes = Transaction()
    stores.models.note_approval(writes, model, "approval")
    if len(writes):
        writes.commit()
    asked = stores.models.get(model.id)
    assert asked.approval_id == "approval"
    stores.models.promote(asked, None, "u", NOW)
    assert stores.models.get(model.id).approval_id is None


def test_an_experiment_takes_everything_with_it(stores: Stores) -> None:
    gone, stays = stores.experiment(), stores.experiment()
    model = stores.complete(stores.run(gone))
    other = stores.complete(stores.run(stays))
    assert model
    assert other
    stores.experiments.delete(gone.id)
    for read, row_id in (
        (stores.experiments.get, gone.id), (stores.runs.get, model.run_id),
        (stores.models.get, model.id), (stores.models.state, model.id),
        (stores.experiments.delete, gone.id),
    ):  # fmt: skip
        with pytest.raises(NotFound):
            read(row_id)  # type: ignore[operator]
    assert stores.runs.ids_of(gone.id) == []
    assert stores.runs.log(gone.id) == []
    assert [run.id for run in stores.runs.since(NOW)] == [other.run_id]
    assert stores.models.all() == [other]
    assert len(stores.runs.log(stays.id)) == 2


def test_an_experiment_moves_to_a_newer_dataset(stores: Stores) -> None:
    experiment = stores.experiment()
    newer = dataset_from(new_id(), "Costs", "cost", "USD", POINTS, NOW, None)
    moved = stores.experiments.move(experiment, replace(newer, experiments=1), POINTS)
    assert (moved.dataset_id, moved.used_datasets) == (newer.id, (experiment.dataset_id, newer.id))
    assert stores.experiments.move(moved, newer, POINTS) == moved
    stale = dataset_from(new_id(), "Costs", "cost", "USD", POINTS, NOW, None)
    with pytest.raises(NotFound):
        stores.experiments.move(experiment, stale, POINTS)
    for dataset_id in moved.used_datasets:
        with pytest.raises(DatasetInUse):
            stores.datasets.delete(dataset_id)
    stores.experiments.delete(experiment.id)
    for dataset_id in moved.used_datasets:
        stores.datasets.delete(dataset_id)


def test_predictions_end_after_ninety_days(stores: Stores) -> None:
    day = PredictedDay(date(2026, 5, 1), 1.0, 0.5, 1.5, 0.25, 1.75)
    made = Prediction(new_id(), "m", "d", (day, day), NOW)
    assert stores.models.add_prediction(made) == made
    assert stores.models.add_prediction(replace(made, model_id="other")) == made
    assert stores.models.prediction(made.id, NOW) == made
    for prediction_id, at in ((made.id, NOW + timedelta(days=90)), (new_id(), NOW)):
        with pytest.raises(NotFound):
            stores.models.prediction(prediction_id, at)
