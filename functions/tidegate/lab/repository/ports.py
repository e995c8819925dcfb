"""What the services need of a store. DynamoDB and the tests' memory keep the same promises."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from tidegate_kit.dynamo import Transaction

from tidegate.lab.domain import (
    Dataset,
    Experiment,
    LogLine,
    Model,
    Point,
    Prediction,
    Run,
)


class Datasets(Protocol):
    """Datasets of one tenant."""

    def all(self) -> list[Dataset]:
        """Newest first."""

    def get(self, dataset_id: str) -> Dataset:
        """Raises NotFound."""

    def points(self, dataset_id: str) -> list[Point]:
        """In order of dates. Raises NotFound."""

    def add(self, dataset: Dataset, points: Sequence[Point]) -> Dataset:
        """Store; an id that is stored already is left as it is and given back."""

    def delete(self, dataset_id: str) -> None:
        """Raises NotFound, DatasetInUse."""


class Experiments(Protocol):
    """Experiments of one tenant. Those being deleted are not there."""

    def all(self) -> list[Experiment]:
        """Newest first."""

    def get(self, experiment_id: str) -> Experiment:
        """Raises NotFound."""

    def add(self, experiment: Experiment) -> Experiment:
        """Store and count the dataset's use; a stored id is given back. Raises NotFound for the
        dataset."""

    def move(self, experiment: Experiment, dataset: Dataset, points: Sequence[Point]) -> Experiment:
        """Store a newer dataset and move the experiment to it, once for the dataset's id.

        Raises NotFound when the experiment is gone or has moved elsewhere.
        """

    def note_best(self, experiment_id: str, run_id: str, mase: float) -> None:
        """Remember the run as the best one unless a better one, or none at all, is there."""

    def delete(self, experiment_id: str) -> None:
        """Take the experiment away with its runs, logs and models; goes on where it stopped.

        Raises NotFound.
        """


class Runs(Protocol):
    """Runs and their logs of one tenant."""

    def add(self, run: Run, line: LogLine) -> Run:
        """Store a queued run and count it; a stored id is given back. Raises NotFound for the
        experiment."""

    def get(self, run_id: str) -> Run:
        """Raises NotFound."""

    def get_many(self, run_ids: Sequence[str]) -> list[Run]:
        """In the order asked. Raises NotFound if one is absent."""

    def ids_of(self, experiment_id: str) -> list[str]:
        """Of all runs of an experiment, newest first."""

    def since(self, moment: datetime) -> list[Run]:
        """Every run of the tenant that was started after a moment."""

    def begin(self, run_id: str, line: LogLine, now: datetime) -> Run | None:
        """Queued becomes running; None for one that is over or gone."""

    def complete(
        self, run: Run, model: Model, state: Mapping[str, Any], lines: Sequence[LogLine]
    ) -> bool:
        """Store run and model together; False if the run is over or gone meanwhile.

        The model's version is the experiment's next one; `model.version` is not read.
        """

    def close(self, run: Run, line: LogLine) -> bool:
        """Store a failed or cancelled run; False if it is over or gone meanwhile."""

    def log(self, experiment_id: str) -> list[LogLine]:
        """Every line, newest run first and within it last line first."""


class Models(Protocol):
    """Models and predictions of one tenant."""

    def all(self) -> list[Model]:
        """Newest first."""

    def get(self, model_id: str) -> Model:
        """Raises NotFound."""

    def state(self, model_id: str) -> Mapping[str, Any]:
        """Raises NotFound."""

    def promote(self, model: Model, former_id: str | None, by: str, at: datetime) -> None:
        """Put `model` in production and archive `former_id`, with the experiment's note of it.

        Raises PromotedMeanwhile if the experiment's production model is another by now.
        """

    def note_approval(self, writes: Transaction, model: Model, approval_id: str) -> None:
        """Add the asked approval to a transaction; its condition is named "model"."""

    def add_prediction(self, prediction: Prediction) -> Prediction:
        """Store for 90 days; a stored id is given back."""

    def prediction(self, prediction_id: str, now: datetime) -> Prediction:
        """Raises NotFound, also when its time is over."""
