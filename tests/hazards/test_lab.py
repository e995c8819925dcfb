"""Hazards of the lab: foreign data, one end for each run, dead workers, repeated deliveries."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tidegate.lab import tasks, wiring
from tidegate.lab.domain import Run
from tidegate.lab.routes import router
from tidegate.lab.service.machine import Machine
from tidegate_kit.clock import FixedClock, system_clock
from tidegate_kit.errors import ApiError, ServiceUnavailable
from tidegate_kit.idempotency import DynamoIdempotencyStore
from tidegate_kit.ids import new_id
from tidegate_kit.settings import Settings

from tests.builders.api import ApiClient
from tests.builders.lab import Lab, wave
from tests.builders.members import sign_in
from tests.fakes.races import race
from tests.integration.lab.test_faults import Machines


@pytest.fixture
def lab(platform: Settings) -> Lab:
    return Lab(ApiClient([router], platform), sign_in())


@pytest.fixture
def other(lab: Lab) -> Lab:
    """Another tenant's member."""
    return Lab(lab.client, sign_in())


def queued(lab: Lab, **body: Any) -> Any:
    given = {"model_type": "seasonal_naive", "horizon": 3, "folds": 3, **body}
    return lab.start(lab.experiment(lab.dataset(wave(60))["id"])["id"], **given)


@pytest.mark.hazard("B3")
@pytest.mark.bite("tidegate_kit.tenancy.TenantScope.pk", lambda self: "T#everybody", when="setup")
def test_foreign_ids_in_bodies_and_queries_are_as_absent_ones(lab: Lab, other: Lab) -> None:
    """B3: another tenant's dataset or run, named in a body or query, answers as an unknown id."""
    dataset = other.dataset(wave(60))
    runs = [queued(other)["id"] for _ in range(2)]
    calls: list[tuple[str, str, Any]] = []
    for ids in ((dataset["id"], *runs), (new_id(), new_id(), new_id())):
        calls += [
            ("POST", "/lab/experiments", {"name": "x", "dataset_id": ids[0]}),
            ("POST", "/lab/anomalies", {"dataset_id": ids[0]}),
            ("GET", f"/lab/compare?run_ids={ids[1]},{ids[2]}", None),
        ]
    answers = []
    for method, path, body in calls:
        answer = lab.client.request(method, path, json=body, headers=lab.member.headers)
        error = answer.json().get("error", {})
        answers.append((answer.status_code, error.get("code"), error.get("message")))
    assert answers[:3] == answers[3:]
    assert {status for status, _, _ in answers} == {404}


@pytest.mark.hazard("B2")
@pytest.mark.bite("tidegate_kit.tenancy.TenantScope.pk", lambda self: "T#everybody", when="setup")
def test_lists_hold_nothing_of_another_tenant(lab: Lab, other: Lab) -> None:
    """B2: no dataset, experiment, model or count of another tenant shows in a list."""
    other.trained(wave(60), model_type="seasonal_naive", horizon=3, folds=3)
    for name in ("datasets", "experiments", "models"):
        assert lab.get(f"/lab/{name}")["total"] == 0
    from tidegate.lab import public

    assert public.running(lab.scope) == (0, 0)


def always(*_: Any, **__: Any) -> Any:
    """A condition that every item meets."""
    from tidegate.lab.models import RunItem

    return RunItem.pk.exists()


@pytest.mark.hazard("E15")
@pytest.mark.bite("tidegate.lab.repository.runs.living_before", always)
def test_a_cancel_that_races_the_finish_leaves_one_end(lab: Lab) -> None:
    """E15: of a cancel and a finish at once exactly one wins, and the stored end is its own."""
    rounds = 25
    runs = [queued(lab) for _ in range(rounds)]
    training = wiring.services_of(lab.scope).training
    stored = wiring.services_of(lab.scope).runs
    begun: list[Run] = []

    def setup(number: int) -> None:
        begun.append(stored.get(runs[number]["id"]))

    def act(worker: int, number: int) -> str:
        run = begun[number]
        if worker == 0:
            return stored.cancel(run.id).status
        if not training.train(run.id):
            raise ServiceUnavailable
        return "completed"

    outcome = race(2, act, rounds, setup=setup)
    outcome.assert_one_winner(loses_with=ApiError)
    for rnd in outcome.rounds:
        run = stored.get(runs[rnd.number]["id"])
        assert run.status == rnd.winners[0].result
        assert (run.model_id is None) == (run.status == "cancelled")


@pytest.mark.hazard("E16")
@pytest.mark.bite("tidegate.lab.routes._new_id", lambda call: new_id())
def test_a_start_whose_answer_was_not_kept_starts_no_second_run(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """E16: the same Idempotency-Key names the same run, also when no answer was kept."""
    experiment = lab.experiment(lab.dataset(wave(60))["id"])
    path = f"/lab/experiments/{experiment['id']}/runs"
    body = {"model_type": "seasonal_naive"}
    monkeypatch.setattr(DynamoIdempotencyStore, "begin", lambda *_: None)
    monkeypatch.setattr(DynamoIdempotencyStore, "finish", lambda *_: None)
    made = [lab.post(path, body, 202, **{"Idempotency-Key": "k"})["id"] for _ in range(2)]
    assert made[0] == made[1]
    assert lab.get(f"/lab/experiments/{experiment['id']}")["run_count"] == 1


@pytest.mark.hazard("E19")
@pytest.mark.bite("tidegate.lab.service.runs.seen", lambda run, now: run)
def test_a_run_whose_worker_died_has_failed_at_its_deadline(lab: Lab) -> None:
    """E19: half an hour after its start a run that nobody ended reads as failed, for good."""
    run = queued(lab)
    clock = FixedClock(system_clock())
    services = wiring.services_of(lab.scope, clock)
    clock.advance(minutes=29)
    assert services.runs.get(run["id"]).status == "queued"
    clock.advance(minutes=2)
    dead = services.runs.get(run["id"])
    assert (dead.status, dead.completed_at) == ("failed", dead.deadline_at)
    assert services.training.train(run["id"]) is False, "the late worker changes nothing"
    assert services.models.all() == []
    with pytest.raises(ApiError, match="over"):
        services.runs.cancel(run["id"])


@pytest.fixture
def machines(monkeypatch: pytest.MonkeyPatch) -> Machines:
    made = Machines()
    machine = Machine(made, "arn:aws:states:us-east-1:123456789012:stateMachine:lab")
    monkeypatch.setattr(wiring, "machine", lambda: machine)
    return made


def record(sequence: str, new: str | None, old: str | None, run_id: str) -> dict[str, Any]:
    """A stream record of a run that came from status `old` to `new`."""

    def image(status: str) -> dict[str, Any]:
        values = {"sk": f"RUN#{run_id}", "id": run_id, "tenant_id": "t", "status": status}
        return {name: {"S": value} for name, value in values.items()}

    change: dict[str, Any] = {"SequenceNumber": sequence}
    change |= {"NewImage": image(new)} if new else {}
    change |= {"OldImage": image(old)} if old else {}
    return {"dynamodb": change}


@pytest.mark.hazard("H2")
@pytest.mark.bite("tidegate.lab.tasks._follow", returns=None)
def test_stream_records_may_come_twice_and_in_any_order(machines: Machines) -> None:
    """H2: a start brought twice starts once; a stop before or after it does no harm."""
    start = record("1", "queued", None, "a")
    stop = record("2", "cancelled", "queued", "a")
    gone = record("3", None, "running", "b")
    for records in ([start, stop, gone], [gone, stop, start], [start, start]):
        assert tasks.follow({"Records": records}, None) == {"batchItemFailures": []}
    assert machines.started == ["a"]
    assert set(machines.stopped) == {"a", "b"}
    finished = record("4", "completed", "running", "c")
    tasks.follow({"Records": [finished, record("5", None, "completed", "c")]}, None)
    assert "c" not in machines.stopped, "a run that was over is not stopped"


@pytest.mark.hazard("H8")
@pytest.mark.bite("tidegate.lab.tasks.logger.exception", lambda *_, **__: pytest.fail("raised"))
def test_a_record_that_fails_is_named_and_its_neighbours_flow(machines: Machines) -> None:
    """H8: a poison record comes back alone, after its neighbours were followed."""

    def refuse(*, name: str, **_: Any) -> None:
        if name == "bad":
            raise ServiceUnavailable
        machines.started.append(name)

    machines.start_execution = refuse  # type: ignore[method-assign]
    records = [record(str(n), "queued", None, run) for n, run in enumerate(("a", "bad", "b"))]
    answer = tasks.follow({"Records": records}, None)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "1"}]}
    assert machines.started == ["a", "b"]


@pytest.mark.hazard("H15")
def test_a_prediction_whose_time_is_over_is_gone(lab: Lab) -> None:
    """H15: an expired prediction answers 404 while its row can still be read."""
    run = lab.trained(wave(60), model_type="seasonal_naive", horizon=3, folds=3)
    made = lab.post(f"/lab/models/{run['model_id']}/predictions", {}, 201)
    predictions = wiring.services_of(lab.scope).predictions
    assert predictions.get(made["id"], system_clock() + timedelta(days=89)).id == made["id"]
    with pytest.raises(ApiError) as refused:
        predictions.get(made["id"], system_clock() + timedelta(days=91))
    assert refused.value.code == "NOT_FOUND"


@pytest.mark.hazard("B9")
@pytest.mark.bite("tidegate.lab.service.promotion.subject_hash", returns="same")
def test_an_approval_of_one_model_promotes_no_other(lab: Lab, monkeypatch: Any) -> None:
    """B9, G27: an approval counts for the model whose figures and data it was asked for, once."""
    from tidegate.lab.service.promotion import Asked, Verdict

    asked: dict[str, Asked] = {}

    class Keeper:
        def __init__(self, principal: Any, models: Any, clock: Any) -> None:
            self.models = models

        def decide(self, model: Any) -> Verdict:
            return Verdict("require_approval", 1, "client", 24, ())

        def approval(self, approval_id: str) -> Asked:
            return asked[approval_id]

        def ask(self, model: Any, subject: str, *_: Any) -> str:
            from tidegate_kit.dynamo import Transaction

            approval_id, writes = new_id(), Transaction()
            self.models.note_approval(writes, model, approval_id)
            writes.commit()
            asked[approval_id] = Asked(approval_id, "pending", subject)
            return approval_id

    monkeypatch.setattr(wiring, "Governance", Keeper)
    models = [lab.trained(wave(120, seed))["model_id"] for seed in (1, 2)]
    refused = [lab.post(f"/lab/models/{m}/promote", {}, 403)["error"] for m in models]
    assert {error["code"] for error in refused} == {"POLICY_DENIED"}
    first, second = (error["details"][0]["message"] for error in refused)
    assert lab.post(f"/lab/models/{models[0]}/promote", {}, 403), "pending: not yet"
    # The approval of the second model, granted, is shown in the place of the first one's.
    asked[first] = replace(asked[second], id=first, status="approved")
    assert lab.post(f"/lab/models/{models[0]}/promote", {}, 403)
    asked[second] = replace(asked[second], status="approved")
    assert lab.post(f"/lab/models/{models[1]}/promote", {})["stage"] == "production"
