"""Starting, reading, comparing and cancelling runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from tidegate_kit.clock import Clock
from tidegate_kit.errors import Detail, Unprocessable

from tidegate.lab.domain import Experiment, LogLine, ModelType, Run
from tidegate.lab.errors import RunFinished, SeriesTooShort
from tidegate.lab.forecast.backtest import minimum_days
from tidegate.lab.repository.ports import Datasets, Experiments, Runs
from tidegate.lab.series import series_of
from tidegate.lab.service.params import checked

# The machine's own limit is 25 minutes (lab-training.asl.yaml): after that its worker is dead.
RUN_MAY_LAST = timedelta(minutes=30)
_LEAST_SHARE = 2 / 3  # of days with a value; with fewer a season cannot be told from its gaps
_RECENT = timedelta(days=7)
_MAX_COMPARED = 10


@dataclass(frozen=True)
class RunRequest:
    """What a run is to do."""

    model_type: ModelType
    params: Mapping[str, Any]
    horizon: int
    folds: int


class RunService:
    """Runs of one tenant."""

    def __init__(
        self, datasets: Datasets, experiments: Experiments, runs: Runs, clock: Clock
    ) -> None:
        self._datasets = datasets
        self._experiments = experiments
        self._runs = runs
        self._clock = clock

    def start(self, run_id: str, experiment_id: str, request: RunRequest, by: str) -> Run:
        """Queue a run; the table's stream starts its machine.

        Raises NotFound, Unprocessable (parameters), SeriesTooShort.
        """
        experiment = self._experiments.get(experiment_id)
        request = replace(request, params=checked(request.model_type, request.params))
        self._check_length(experiment, request)
        now = self._clock()
        run = Run(
            id=run_id, experiment_id=experiment.id, dataset_id=experiment.dataset_id,
            status="queued", created_by=by, started_at=now, deadline_at=now + RUN_MAY_LAST,
            **vars(request),
        )  # fmt: skip
        text = f"queued: {run.model_type}, horizon {run.horizon}, {run.folds} folds"
        return self._runs.add(run, LogLine(now, run.id, "info", text))

    def _check_length(self, experiment: Experiment, request: RunRequest) -> None:
        series = series_of(self._datasets.points(experiment.dataset_id))
        days, least = len(series.values), minimum_days(**vars(request))
        if days < least:
            text = f"the dataset spans {days} days; this run needs at least {least}"
            raise SeriesTooShort(details=[Detail("dataset_id", text)])
        if series.observed < _LEAST_SHARE * days:
            text = f"only {series.observed} of {days} days have a value; two thirds are needed"
            raise SeriesTooShort(details=[Detail("dataset_id", text)])

    def get(self, run_id: str) -> Run:
        """Raises NotFound."""
        return seen(self._runs.get(run_id), self._clock())

    def ids_of(self, experiment_id: str) -> list[str]:
        """Ids of an experiment's runs, newest first. Raises NotFound."""
        return self._runs.ids_of(self._experiments.get(experiment_id).id)

    def get_many(self, run_ids: Sequence[str]) -> list[Run]:
        """In the order asked. Raises NotFound if one is absent."""
        now = self._clock()
        return [seen(run, now) for run in self._runs.get_many(run_ids)]

    def cancel(self, run_id: str) -> Run:
        """Stop a living run. Raises NotFound, RunFinished."""
        now = self._clock()
        run = seen(self._runs.get(run_id), now)
        if run.over:
            raise RunFinished
        ended = replace(run, status="cancelled", completed_at=now)
        if not self._runs.close(ended, LogLine(now, run.id, "warning", "cancelled")):
            raise RunFinished
        return ended

    def log(self, experiment_id: str) -> list[LogLine]:
        """Newest first. Raises NotFound."""
        return self._runs.log(self._experiments.get(experiment_id).id)

    def counts(self) -> tuple[int, int]:
        """Experiments with a living run, and with a run of the last seven days."""
        now = self._clock()
        recent = [seen(run, now) for run in self._runs.since(now - _RECENT)]
        living = {run.experiment_id for run in recent if not run.over}
        return len(living), len({run.experiment_id for run in recent})


def seen(run: Run, now: datetime) -> Run:
    """The run as it is now: one whose time is over has failed, whoever was to say so (E19)."""
    if run.over or now < run.deadline_at:
        return run
    return replace(
        run, status="failed", completed_at=run.deadline_at,
        error="The training did not end in time.",
    )  # fmt: skip


def chosen_ids(text: str) -> list[str]:
    """Run ids of `a,b,...`. Raises Unprocessable unless they are 2 to 10 different ones."""
    ids = [part.strip() for part in text.split(",")]
    if not 2 <= len(ids) <= _MAX_COMPARED or len(set(ids)) != len(ids) or "" in ids:
        text = f"must name 2 to {_MAX_COMPARED} different runs, separated by commas"
        raise Unprocessable(details=[Detail("run_ids", text)])
    return ids


@dataclass(frozen=True)
class Comparison:
    """One figure of several runs; `best` is the id of the best run, None where none has it."""

    key: str
    values: Mapping[str, float]
    best: str | None


def compare(runs: Sequence[Run]) -> list[Comparison]:
    """The runs' figures side by side; the first of equals is best."""
    # mase, smape: the smaller the better; a coverage: the closer to what it promises.
    distance = {"mase": 0.0, "smape": 0.0, "coverage_80": 0.8, "coverage_95": 0.95}
    found = []
    for name, ideal in distance.items():
        values = {run.id: float(vars(run.metrics)[name]) for run in runs if run.metrics}
        best = min(values, key=lambda one: abs(values[one] - ideal), default=None)
        found.append(Comparison(name, values, best))
    return found
