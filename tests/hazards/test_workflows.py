"""Hazards of the running part of workflows: races, kills, redeliveries, broken data."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import boto3
import pytest
from tidegate.governance import answers
from tidegate.workflows import execution_answers, tasks, wiring
from tidegate.workflows.domain import Blob, Execution, RunSettings
from tidegate.workflows.errors import NotResumable
from tidegate.workflows.models import StepItem
from tidegate.workflows.ports import build
from tidegate.workflows.ports.approvals import approval_id_of
from tidegate.workflows.repository.blobs import INLINE_OCTETS, BlobBroken
from tidegate.workflows.repository.ledger import EffectState, Settled
from tidegate.workflows.repository.logs import LogFilters
from tidegate.workflows.repository.triggers import DynamoTriggers, Schedule
from tidegate.workflows.service.definitions import Definitions
from tidegate.workflows.service.executions import Start
from tidegate.workflows.service.outcome import place_of_execution
from tidegate.workflows.service.program import Program
from tidegate.workflows.service.workflows import Change, Draft
from tidegate_kit.auth.models import TenantItem, UserItem, user_key
from tidegate_kit.clock import FixedClock, system_clock
from tidegate_kit.ids import new_id
from tidegate_kit.settings import Settings
from tidegate_kit.tenancy import TenantScope

from tests.builders import histories
from tests.builders.members import SignedIn, sign_in
from tests.builders.settings import REGION
from tests.builders.workflows import (
    BUCKET,
    ENVIRONMENT,
    chain,
    edge,
    follow_stream,
    graph,
    install_engine,
    make_bucket,
    node,
)
from tests.fakes.faults import Killed
from tests.fakes.races import race
from tests.fakes.workflows import EngineMachines

TENANT = new_id()
SCOPE = TenantScope(TENANT)
USER = new_id()


@pytest.fixture
def engine(platform: Settings, monkeypatch: pytest.MonkeyPatch) -> EngineMachines:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    make_bucket()
    sign_in(tenant_id=SCOPE.tenant_id, user_id=USER)
    return install_engine(monkeypatch)


def services(clock: Any = system_clock) -> wiring.Services:
    return wiring.services_of(SCOPE, USER, clock)


def make(definition: dict[str, Any], **settings: Any) -> str:
    draft = Draft("W", "", definition, True, RunSettings(**settings))
    return services().workflows.create(draft).workflow.id


def begin(workflow_id: str, execution_id: str | None = None, **data: Any) -> Execution:
    wish = Start(execution_id or new_id(), workflow_id, data, USER)
    return services().executions.begin(wish)


def stored(execution_id: str) -> Execution:
    return services().repositories.executions.get(execution_id)


def final_count(workflow_id: str) -> tuple[int, int]:
    stats = services().repositories.workflows.get(workflow_id).stats
    return stats.total, stats.running


ANY_ITEM = StepItem.pk.exists() | StepItem.pk.does_not_exist()
PINNED = Definitions.program
WAITING = chain(node("wait", "delay", seconds=60))


@pytest.mark.hazard("E9")
@pytest.mark.bite("tidegate.workflows.repository.blobs.digest", returns="0" * 64)
def test_large_outputs_go_to_the_bucket_whole(engine: EngineMachines) -> None:
    """E9 an output over the inline limit is an S3 object with size and hash; states stay small."""
    big = "x" * (INLINE_OCTETS + 1)
    workflow = make(chain(node("a", output={"text": "{{t}}"}), node("b", output={"u": "{{t}}"})))
    run = begin(workflow, t=big)
    steps = {step.step_id: step for step in services().repositories.ledger.steps(run.id)}
    output = steps["a"].output
    assert output is not None
    assert output.key is not None
    assert output.size > INLINE_OCTETS
    body = boto3.client("s3", region_name=REGION).get_object(Bucket=BUCKET, Key=output.key)
    text = body["Body"].read()
    assert (len(text), hashlib.sha256(text).hexdigest()) == (output.size, output.sha256)
    assert stored(run.id).status == "completed"
    assert engine.runs[run.id].walker.largest < 4096


def newest_program(self: Definitions, workflow_id: str, number: int) -> Program:
    """The pin switched off: whatever was saved last."""
    return PINNED(self, workflow_id, self._workflows.get(workflow_id).version)


@pytest.mark.hazard("E13")
@pytest.mark.bite("tidegate.workflows.service.definitions.Definitions.program", newest_program)
def test_a_run_stays_on_its_version(engine: EngineMachines) -> None:
    """E13 a definition edited during a run does not change that run."""
    first = chain(node("wait", "delay", seconds=60), node("a", output={"v": 1}))
    workflow = make(first)
    run = begin(workflow)
    second = chain(node("other", output={"v": 2}))
    services().workflows.change(workflow, Change(definition=second))
    engine.settle(10**9)
    assert stored(run.id).workflow_version == 1
    names = {step.step_id for step in services().repositories.ledger.steps(run.id)}
    assert names == {"start", "wait", "a", "end"}


@pytest.mark.hazard("E14")
def test_executions_of_a_deleted_workflow_end(engine: EngineMachines) -> None:
    """E14 deleting a workflow in use lets its executions run to their end."""
    workflow = make(WAITING)
    run = begin(workflow)
    services().workflows.delete(workflow)
    engine.settle(10**9)
    assert stored(run.id).status == "completed"


@pytest.mark.hazard("E15")
@pytest.mark.bite("tidegate.workflows.repository.executions._unfinished", lambda *_: ANY_ITEM)
def test_cancel_and_finish_race_to_one_end(engine: EngineMachines) -> None:
    """E15 cancel racing finish gives one terminal state and one count."""
    engine.paused = True
    workflow = make(chain(node("a")), max_concurrency=100)
    outcomes = services().executions._outcomes
    runs = [begin(workflow) for _ in range(20)]

    def end(worker: int, number: int) -> bool:
        run = runs[number]
        if worker % 2:
            return outcomes.stop(run, "cancelled", None)
        return outcomes.complete(run, {})

    def one_winner(rnd: Any) -> None:
        assert sum(bool(attempt.result) for attempt in rnd.attempts) == 1, rnd

    race(4, end, 20, check=one_winner)
    assert final_count(workflow) == (20, 0)


@pytest.mark.hazard("E16")
def test_one_execution_per_id(engine: EngineMachines) -> None:
    """E16 the same call 8 at once starts one execution."""
    engine.paused = True
    workflow = make(chain(node("a")), max_concurrency=100)
    ids = [new_id() for _ in range(10)]
    race(8, lambda worker, number: begin(workflow, ids[number]).id, 10)
    assert final_count(workflow) == (0, 10)
    assert sorted(engine.runs) == sorted(ids)


def nothing_was_tried(self: Any, execution: Any, step_id: str, attempt: str) -> Any:
    """The journal switched off: every try looks like the first."""
    return EffectState("new")


@pytest.mark.hazard("E18")
@pytest.mark.bite(
    "tidegate.workflows.repository.ledger.DynamoLedger.effect_begin",
    nothing_was_tried,
)
def test_a_killed_effect_is_not_repeated(
    engine: EngineMachines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """E18 a node killed after its effect and before its record does not do it again."""
    sent: list[str] = []

    class Ses:
        def send_email(self, **request: Any) -> dict[str, str]:
            sent.append(request["Destination"]["ToAddresses"][0])
            return {"MessageId": "m-1"}

    monkeypatch.setattr(build, "single_attempt_client", lambda service, region: Ses())
    monkeypatch.setenv("MAIL_FROM", "ops@example.com")
    mail = node("send", "email", to="a@example.com", subject="s", body="b")
    workflow = make(chain(mail))
    engine.paused = True
    run = begin(workflow)
    steps = services().steps
    steps.run(run.id, "start")
    ledger = services().repositories.ledger
    record = type(ledger).record

    def die(*args: Any, **options: Any) -> None:
        raise Killed("before the record")

    with monkeypatch.context() as killed:
        killed.setattr(type(ledger), "record", die)
        with pytest.raises(Killed):
            services().steps.run(run.id, "send")
    assert type(ledger).record is record
    services().steps.run(run.id, "send")
    services().steps.run(run.id, "send")
    assert sent == ["a@example.com"]
    step = ledger.view(run.id, ["send"]).steps["send"]
    assert (step.status, step.attempts) == ("completed", 2)


@pytest.mark.hazard("E19")
@pytest.mark.bite("tidegate.workflows.service.executions.ExecutionService._close", returns=False)
def test_a_run_whose_machine_died_is_swept_once(engine: EngineMachines) -> None:
    """E19 an execution whose machine ended without a word is ended by the sweep, once."""
    workflow = make(WAITING)
    run = begin(workflow)
    engine.stop(stored(run.id).machine_execution_arn or "", "Killed")
    swept = [services().executions.reconcile(run.id) for _ in range(3)]
    assert swept == [True, False, False]
    ended = stored(run.id)
    assert ended.status == "failed"
    assert ended.error is not None
    assert ended.error.code == "EXECUTION_INTERRUPTED"
    assert final_count(workflow) == (1, 0)
    statuses = {s.step_id: s.status for s in services().repositories.ledger.steps(run.id)}
    assert statuses["wait"] == "cancelled"


def test_an_overdue_run_times_out(engine: EngineMachines) -> None:
    """A run past its time-out ends as timed_out."""
    workflow = make(WAITING, timeout_seconds=30)
    run = begin(workflow)
    later = FixedClock(system_clock() + timedelta(minutes=10))
    assert services(later).executions.reconcile(run.id)
    assert stored(run.id).status == "timed_out"


@pytest.mark.hazard("E24")
@pytest.mark.bite("tidegate.workflows.repository.ledger._unsettled", lambda: ANY_ITEM)
def test_a_settled_step_never_changes(engine: EngineMachines) -> None:
    """E24 of several workers finishing one step the first write stands."""
    engine.paused = True
    workflow = make(chain(node("a")))
    run = begin(workflow)
    steps = services().steps
    steps.run(run.id, "start")
    outcome = race(4, lambda worker, number: services().steps.run(run.id, "a")["route"], 5)
    assert {a.result for rnd in outcome.rounds for a in rnd.attempts} == {"next"}
    ledger = services().repositories.ledger
    settled = ledger.view(run.id, ["a"]).steps["a"]
    with pytest.raises(Settled):
        ledger.record(run, replace(settled, status="failed"))
    assert ledger.view(run.id, ["a"]).steps["a"] == settled


@pytest.mark.hazard("E25")
@pytest.mark.bite(
    "tidegate.workflows.repository.blobs.read_checked", returns={}, cases=["size", "hash"]
)
@pytest.mark.bite(
    "tidegate.workflows.repository.blobs.check_place", returns=None, cases=["foreign"]
)
@pytest.mark.parametrize("case", ["missing", "size", "hash", "foreign"])
def test_a_broken_pointer_fails_closed(engine: EngineMachines, case: str) -> None:
    """E25 a missing, changed or foreign object is refused with that reason."""
    blobs = services().repositories.blobs
    place = place_of_execution(new_id())
    blob = blobs.put(place, {"a": "x" * 100}, inline=10)
    s3 = boto3.client("s3", region_name=REGION)
    wanted = {"missing": "missing", "size": "size", "hash": "hash", "foreign": "another run"}
    if case == "missing":
        s3.delete_object(Bucket=BUCKET, Key=blob.key)
    elif case == "size":
        s3.put_object(Bucket=BUCKET, Key=blob.key, Body=b"{}")
    elif case == "hash":
        s3.put_object(Bucket=BUCKET, Key=blob.key, Body=b"y" * blob.size)
    else:
        other = wiring.services_of(TenantScope(new_id()), USER).repositories.blobs
        stolen = other.put(place, {"a": "x" * 100}, inline=10)
        blob = Blob(stolen.size, stolen.sha256, key=stolen.key)
    with pytest.raises(BlobBroken, match=wanted[case]):
        blobs.get(place, blob)


@pytest.mark.hazard("E23")
@pytest.mark.bite(
    "tidegate.workflows.service.resume.RESUMABLE", frozenset({"failed", "running", "waiting"})
)
def test_two_resumes_are_one(engine: EngineMachines) -> None:
    """E23 resuming twice at once gives one run; a running execution is not resumed."""
    stop = node("stop", "fail", error="X", message="x")
    workflow = make(graph(node("s", "start"), node("a"), stop, edge("s", "a"), edge("a", "stop")))
    run = begin(workflow)
    assert stored(run.id).status == "failed"

    def resume(worker: int, number: int) -> str:
        wish = Start(new_id(), "", {}, USER)
        made = services().resumes.resume(run.id, None, [], wish).execution
        assert made is not None
        return made.id

    engine.paused = True
    race(4, resume, 1).assert_one_winner(loses_with=NotResumable)
    waiting = begin(make(WAITING))
    with pytest.raises(NotResumable):
        services().resumes.resume(waiting.id, None, [], None)


@pytest.mark.hazard("E28")
def test_a_task_token_is_shown_nowhere(engine: EngineMachines) -> None:
    """E28 an approval's task token is in no answer and no log, and dead after a cancel."""
    ask = node("ask", "approval", title="?")
    workflow = make(graph(node("s", "start"), ask, edge("s", "ask")))
    run = begin(workflow)
    approval = services().repositories.approvals.get(approval_id_of(run.id, "ask"))
    token = approval.task_token
    assert token
    assert token not in repr(approval)
    shown = answers.approval(approval, system_clock()).model_dump_json()
    shown += execution_answers.execution(stored(run.id), services().repositories).model_dump_json()
    logs, _, _ = services().repositories.logs.page(_all_logs(), 0, 100, None)
    assert token not in shown + json.dumps([entry.message for entry in logs])
    services().executions.cancel(run.id)
    assert not engine.succeed(token, {"route": "true"})


def _all_logs() -> Any:
    return LogFilters()


@pytest.mark.hazard("E30")
def test_an_approval_in_a_skipped_branch_parks_nothing(engine: EngineMachines) -> None:
    """E30 a skipped approval neither asks nor waits; nothing behind one that waits runs."""
    ask = node("ask", "approval", title="?")
    choose = node("c", "condition", condition={"left": "{{go}}", "op": "eq", "right": True})
    workflow = make(
        graph(
            node("s", "start"), choose, ask, node("act"), node("end", "end"),
            edge("s", "c"), edge("c", "ask", "true"), edge("c", "end", "false"),
            edge("ask", "act", "true"), edge("act", "end"),
        )
    )  # fmt: skip
    run = begin(workflow, go=False)
    assert stored(run.id).status == "completed"
    statuses = {s.step_id: s.status for s in services().repositories.ledger.steps(run.id)}
    assert statuses["ask"] == statuses["act"] == "skipped"
    parked = begin(workflow, go=True)
    assert stored(parked.id).status == "waiting"
    assert "act" not in {s.step_id for s in services().repositories.ledger.steps(parked.id)}


@pytest.mark.hazard("H2")
def test_the_stream_delivered_again_changes_nothing(engine: EngineMachines) -> None:
    """H2 every change of the table delivered once more leaves the same state."""
    workflow = make(chain(node("a")), max_concurrency=1)
    runs = [begin(workflow), begin(workflow)]
    follow_stream()
    calls = len(engine.calls)
    follow_stream()
    follow_stream()
    assert len(engine.calls) == calls
    assert [stored(run.id).status for run in runs] == ["completed", "completed"]
    assert final_count(workflow) == (2, 0)


@pytest.mark.hazard("H30")
def test_a_start_that_died_is_launched_by_the_stream(
    engine: EngineMachines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """H30 a handler killed between the write and the launch loses no execution and doubles none."""
    workflow = make(chain(node("a")))

    def die(*args: Any, **options: Any) -> None:
        raise Killed("before the launch")

    execution_id = new_id()
    with monkeypatch.context() as killed:
        killed.setattr(EngineMachines, "start", die)
        with pytest.raises(Killed):
            begin(workflow, execution_id)
    assert stored(execution_id).machine_execution_arn is None
    follow_stream()
    assert stored(execution_id).status == "completed"
    begin(workflow, execution_id)
    assert final_count(workflow) == (1, 0)
    assert tasks.sweep({}, None)["ended"] == 0


def scheduled(member: SignedIn, enabled: bool = True) -> str:
    """A workflow of the member's tenant that runs every minute."""
    clock = system_clock()
    tenant = TenantScope(member.tenant_id)
    draft = Draft("W", "", chain(node("a")), True, RunSettings())
    made = wiring.services_of(tenant, member.user_id).workflows.create(draft).workflow
    DynamoTriggers(tenant).put_schedule(
        Schedule(
            workflow_id=made.id, expression="rate(1 minute)", time_zone="UTC", input_data={},
            enabled=enabled, start_at=None, end_at=None, on_overlap="allow",
            owner=member.user_id, created_at=clock, updated_at=clock,
        )
    )  # fmt: skip
    return made.id


def tick(member: SignedIn, workflow_id: str) -> str | None:
    """One minute of the clock."""
    event = {
        "tenant_id": member.tenant_id, "workflow_id": workflow_id,
        "scheduled_time": new_id().translate({ord("-"): "1"}),
    }  # fmt: skip
    event["scheduled_time"] = f"2026-01-01T00:00:00Z/{event['scheduled_time']}"
    return tasks.scheduled(event, None)["execution_id"]


@pytest.mark.hazard("H17")
@pytest.mark.bite("tidegate.workflows.tasks._may_act", returns=True)
def test_a_late_tick_runs_nothing(engine: EngineMachines) -> None:
    """H17 a tick for a deleted, disabled or inactive workflow, owner or tenant starts no run."""
    engine.paused = True
    member = sign_in(roles=("client",))
    scope = TenantScope(member.tenant_id)
    workflow = scheduled(member)
    assert tick(member, workflow) is not None
    assert tick(member, scheduled(member, enabled=False)) is None
    gone = scheduled(member)
    wiring.services_of(scope, member.user_id).workflows.delete(gone)
    assert tick(member, gone) is None
    off = scheduled(member)
    wiring.services_of(scope, member.user_id).workflows.change(off, Change(is_active=False))
    assert tick(member, off) is None
    user = UserItem.get(f"T#{member.tenant_id}", user_key(member.user_id))
    user.update(actions=[UserItem.is_active.set(False)])
    assert tick(member, workflow) is None
    user.update(actions=[UserItem.is_active.set(True)])
    tenant = TenantItem.get(f"T#{member.tenant_id}", "TENANT")
    tenant.update(actions=[TenantItem.is_active.set(False)])
    assert tick(member, workflow) is None


@pytest.mark.hazard("H18")
@pytest.mark.bite("tidegate.workflows.tasks._dispatch", returns={"route": "next"})
@pytest.mark.parametrize("name", histories.NAMES)
def test_a_machine_of_an_earlier_release_runs_on(
    engine: EngineMachines, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """H18 a machine as an earlier release compiled it ends as it did then, on today's code."""
    recorded = histories.read(name)
    publish = EngineMachines.publish

    def publish_recorded(self: EngineMachines, machine: str, definition: Any) -> str:
        return publish(self, machine, recorded["machine"])

    monkeypatch.setattr(EngineMachines, "publish", publish_recorded)
    assert histories.run(engine, services(), recorded, USER) == recorded["ended"]
