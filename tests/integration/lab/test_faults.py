"""H1 for the lab's write flows: every call fails once in four ways, then redelivery."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import boto3
import pytest
from tidegate.lab import tasks, wiring
from tidegate.lab.domain import Point
from tidegate.lab.service.machine import Machine
from tidegate.lab.service.runs import RunRequest
from tidegate_kit import clients
from tidegate_kit.clock import FixedClock, system_clock
from tidegate_kit.errors import NotFound
from tidegate_kit.ids import new_id
from tidegate_kit.settings import Settings
from tidegate_kit.tenancy import TenantScope

from tests.builders.lab import START, wave
from tests.builders.settings import PREFIX, REGION
from tests.fakes.faults import FaultReport, enumerate_faults
from tests.fakes.tables import create_tables, dump_tables

POINTS = [Point(START + timedelta(days=n), v) for n, v in enumerate(wave(60))]
REQUEST = RunRequest("seasonal_naive", {}, 3, 3)
GOOD = RunRequest("ridge", {}, 7, 4)


class Machines:
    """Step Functions that remembers what was asked."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.stopped: list[str] = []

    def start_execution(self, *, name: str, **_: Any) -> None:
        if name not in self.started:
            self.started.append(name)

    def stop_execution(self, *, executionArn: str, **_: Any) -> None:
        self.stopped.append(executionArn.rpartition(":")[2])


@dataclass
class Bed:
    """A fresh table, and the ids of one story."""

    clock: FixedClock = field(default_factory=lambda: FixedClock(system_clock()))
    scope: TenantScope = field(default_factory=lambda: TenantScope(new_id()))
    dataset_id: str = field(default_factory=new_id)
    experiment_id: str = field(default_factory=new_id)
    run_id: str = field(default_factory=new_id)
    machines: Machines = field(default_factory=Machines)

    @property
    def services(self) -> wiring.Services:
        return wiring.services_of(self.scope, self.clock)

    def upload(self) -> None:
        self.services.datasets.upload(self.dataset_id, "d", None, POINTS, self.clock())

    def experiment(self) -> None:
        self.services.experiments.create(self.experiment_id, "e", "", self.dataset_id, "u")

    def start(self) -> None:
        self.services.runs.start(self.run_id, self.experiment_id, REQUEST, "u")

    def train(self) -> None:
        self.services.training.train(self.run_id)

    def delete(self) -> None:
        self.services.experiments.delete(self.experiment_id)

    def rows(self) -> list[dict[str, Any]]:
        table = f"{PREFIX}-lab"
        return dump_tables(boto3.client("dynamodb", region_name=REGION), [table])[table]

    def stream(self) -> None:
        """Every row as if it had just been written."""
        records = [{"dynamodb": {"NewImage": r, "SequenceNumber": "1"}} for r in self.rows()]
        machine = Machine(self.machines, "arn:aws:states:us-east-1:1:stateMachine:lab")
        for record in records:
            tasks._follow(machine, record["dynamodb"])

    def check_uploaded(self) -> None:
        """The dataset whole."""
        assert self.services.datasets.points(self.dataset_id) == POINTS
        assert len(self.services.datasets.all()) == 1

    def check_experiment(self) -> None:
        """Counted once."""
        assert self.services.datasets.get(self.dataset_id).experiments == 1
        assert len(self.services.experiments.all()) == 1

    def check_started(self) -> None:
        """One run, counted once, started once by the stream."""
        assert self.services.experiments.get(self.experiment_id).run_count == 1
        assert self.services.runs.ids_of(self.experiment_id) == [self.run_id]
        self.stream()
        self.stream()
        assert self.machines.started == [self.run_id]

    def check_trained(self) -> None:
        """One model, version 1, noted as the best run; each log line once."""
        run = self.services.runs.get(self.run_id)
        assert run.status == "completed", run.status
        (model,) = self.services.models.all()
        assert (model.id, model.version, model.run_id) == (run.model_id, 1, run.id)
        assert self.services.models.state(model.id)["season"] == 7
        experiment = self.services.experiments.get(self.experiment_id)
        assert (experiment.best_run_id, experiment.models) == (run.id, 1)
        assert len(self.services.runs.log(self.experiment_id)) == 5

    def check_deleted(self) -> None:
        """Only the dataset is left, free."""
        assert {row["sk"]["S"].split("#")[0] for row in self.rows()} == {"DATASET", "SERIES"}
        assert self.services.datasets.get(self.dataset_id).experiments == 0


@pytest.fixture
def fresh(platform: Settings, table_specs: Any) -> Callable[..., Any]:
    """A maker of beds; `ready` are steps outside the fault's reach."""
    dynamodb = boto3.client("dynamodb", region_name=REGION)
    specs = [spec for spec in table_specs if spec.name.endswith("-lab")]

    def make(*ready: Callable[[Bed], None]) -> Callable[[], Any]:
        @contextlib.contextmanager
        def bed() -> Iterator[Bed]:
            for spec in specs:  # made anew: the double copies a table for each transaction
                dynamodb.delete_table(TableName=spec.name)
            create_tables(dynamodb, specs)
            made = Bed()
            for step in ready:
                step(made)
            yield made

        return bed

    return make


def restart(bed: Bed) -> None:
    """A new process."""
    clients.platform_client.cache_clear()


def enumerated(
    fresh: Any, name: str, step: Callable[[Bed], None], check: Callable[[Bed], None], *ready: Any,
    tolerated: tuple[type[Exception], ...] = (),
) -> FaultReport:  # fmt: skip
    return enumerate_faults(
        step, step, check, fresh(*ready), name=f"lab: {name}", restart=restart, tolerated=tolerated
    )


@pytest.mark.hazard("H1")
def test_upload_survives_every_fault(fresh: Any) -> None:
    """H1: a dataset is there once and whole."""
    enumerated(fresh, "upload", Bed.upload, Bed.check_uploaded)


@pytest.mark.hazard("H1")
def test_experiment_survives_every_fault(fresh: Any) -> None:
    """H1: an experiment counts its dataset's use once."""
    enumerated(fresh, "experiment", Bed.experiment, Bed.check_experiment, Bed.upload)


@pytest.mark.hazard("H1")
def test_start_survives_every_fault(fresh: Any) -> None:
    """H1: a run is queued once, and the stream starts it once."""
    enumerated(fresh, "start run", Bed.start, Bed.check_started, Bed.upload, Bed.experiment)


@pytest.mark.hazard("H1")
@pytest.mark.bite("tidegate.lab.service.training.Training._note_best", returns=True)
def test_training_survives_every_fault(fresh: Any) -> None:
    """H1: a training that died at any call and comes again leaves one model."""
    ready = (Bed.upload, Bed.experiment, Bed.start)
    enumerated(fresh, "train", Bed.train, Bed.check_trained, *ready)


@pytest.mark.hazard("H1")
def test_deleting_an_experiment_survives_every_fault(fresh: Any) -> None:
    """H1: a deletion that died at any call is finished by the next, and nothing stays behind."""
    ready = (Bed.upload, Bed.experiment, Bed.start, Bed.train)
    enumerated(
        fresh, "delete experiment", Bed.delete, Bed.check_deleted, *ready, tolerated=(NotFound,)
    )


def promote(bed: Bed) -> None:
    """As the route does, for an owner of the bed's tenant."""
    services = bed.services
    (model,) = services.models.all()
    former = services.experiments.get(bed.experiment_id).production_model_id
    if former != model.id:
        services.models.promote(model, former, "u", bed.clock())


def start_good(bed: Bed) -> None:
    bed.services.runs.start(bed.run_id, bed.experiment_id, GOOD, "u")


@pytest.mark.hazard("H1")
def test_promotion_survives_every_fault(fresh: Any) -> None:
    """H1: model and experiment agree on what is in production."""

    def check(bed: Bed) -> None:
        (model,) = bed.services.models.all()
        assert model.stage == "production"
        noted = bed.services.experiments.get(bed.experiment_id).production_model_id
        assert noted == model.id

    ready = (Bed.upload, Bed.experiment, start_good, Bed.train)
    enumerated(fresh, "promote", promote, check, *ready)
