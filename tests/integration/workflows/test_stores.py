"""One contract over the workflows repositories and their in-memory twins (house rule 10)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tidegate.workflows.domain import (
    Approval,
    Execution,
    LogEntry,
    RunSettings,
    Step,
    StepProblem,
    Version,
    Vote,
    Workflow,
)
from tidegate.workflows.errors import (
    ConcurrencyLimit,
    NotResumable,
    VersionConflict,
    WorkflowInactive,
)
from tidegate.workflows.repository.approvals import (
    ApprovalChanged,
    ApprovalFilters,
    ApprovalStore,
    DynamoApprovals,
)
from tidegate.workflows.repository.blobs import BlobBroken, Blobs, S3Blobs, inline_blob
from tidegate.workflows.repository.executions import (
    DynamoExecutions,
    ExecutionFilters,
    Executions,
)
from tidegate.workflows.repository.ledger import DynamoLedger, EffectState, Ledger, Settled
from tidegate.workflows.repository.logs import DynamoLogs, LogFilters, Logs
from tidegate.workflows.repository.triggers import DynamoTriggers, Hook, Schedule, Triggers
from tidegate.workflows.repository.workflows import (
    DynamoWorkflows,
    WorkflowFilters,
    Workflows,
)
from tidegate_kit.clients import platform_client
from tidegate_kit.errors import NotFound
from tidegate_kit.ids import new_id
from tidegate_kit.tenancy import TenantScope

from tests.builders.settings import REGION
from tests.builders.workflows import BUCKET, make_bucket
from tests.fakes.workflow_steps import MemoryLedger
from tests.fakes.workflow_stores import (
    MemoryApprovals,
    MemoryBlobs,
    MemoryExecutions,
    MemoryLogs,
    MemoryTriggers,
    MemoryWorkflows,
    Tables,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
USER = new_id()


@dataclass(frozen=True)
class Stores:
    """Every repository of one tenant."""

    workflows: Workflows
    executions: Executions
    ledger: Ledger
    logs: Logs
    approvals: ApprovalStore
    triggers: Triggers
    blobs: Blobs

    def make(self, **changes: Any) -> Workflow:
        made = workflow(**changes)
        self.workflows.create(made, version(made))
        return self.workflows.get(made.id)

    def start(self, of: Workflow, limit: int = 10, **changes: Any) -> Execution:
        created = self.executions.create(execution(of, **changes), limit, "queue")
        assert created is not None
        return created

    def stats(self, of: Workflow) -> tuple[int, int, int, int]:
        counted = self.workflows.get(of.id).stats
        return counted.active, counted.queued, counted.successful, counted.failed


@pytest.fixture(params=["memory", "dynamo"])
def stores(request: pytest.FixtureRequest) -> Stores:
    if request.param == "memory":
        tables = Tables()
        return Stores(
            MemoryWorkflows(tables), MemoryExecutions(tables), MemoryLedger(tables),
            MemoryLogs(tables), MemoryApprovals(tables), MemoryTriggers(tables),
            MemoryBlobs(tables),
        )  # fmt: skip
    request.getfixturevalue("platform")
    make_bucket()
    scope = TenantScope(new_id())
    return Stores(
        DynamoWorkflows(scope), DynamoExecutions(scope), DynamoLedger(scope, lambda _: None),
        DynamoLogs(scope), DynamoApprovals(scope), DynamoTriggers(scope),
        S3Blobs(scope, platform_client("s3", REGION), BUCKET),
    )  # fmt: skip


def workflow(**changes: Any) -> Workflow:
    values: dict[str, Any] = {
        "id": new_id(), "name": "Clean up", "description": "Stops things", "is_active": True,
        "created_by": USER, "created_at": NOW, "updated_at": NOW, "version": 1,
        "settings": RunSettings(), **changes,
    }  # fmt: skip
    return Workflow(**values)


def version(of: Workflow, number: int = 1, **changes: Any) -> Version:
    values: dict[str, Any] = {
        "workflow_id": of.id, "version": number, "created_at": NOW, "created_by": USER,
        "content_hash": "0" * 64, "definition": inline_blob({"nodes": []}), "valid": True,
        "issues": ({"code": "X"},), "required_inputs": (("a", "b"),), "callees": ("w",), **changes,
    }  # fmt: skip
    return Version(**values)


def execution(of: Workflow, **changes: Any) -> Execution:
    values: dict[str, Any] = {
        "id": new_id(), "workflow_id": of.id, "workflow_version": 1, "status": "running",
        "trigger": "api", "principal": USER, "started_at": NOW, "input": inline_blob({"n": 1}),
        "timeout_seconds": 60, **changes,
    }  # fmt: skip
    return Execution(**values)


def step(of: Execution, step_id: str = "a", **changes: Any) -> Step:
    values: dict[str, Any] = {
        "execution_id": of.id, "step_id": step_id, "node_id": step_id, "type": "transform",
        "status": "running", "started_at": NOW, **changes,
    }  # fmt: skip
    return Step(**values)


def line(**changes: Any) -> LogEntry:
    values: dict[str, Any] = {
        "id": new_id(), "timestamp": NOW, "level": "info", "workflow_id": "w",
        "execution_id": "e", "message": "Step a completed.", "data": {"n": 1}, **changes,
    }  # fmt: skip
    return LogEntry(**values)


def pages(read: Callable[..., Any], filters: Any, size: int) -> list[Any]:
    """Every row of a list, page by page."""
    rows: list[Any] = []
    start: Any = None
    while True:
        part, total, start = read(filters, 0, size, start)
        rows += part
        if start is None:
            assert len(rows) == total
            return rows


# ---- workflows ---------------------------------------------------------------------------------


def test_a_workflow_is_created_once(stores: Stores) -> None:
    made = workflow()
    for _ in range(2):
        stores.workflows.create(made, version(made))
    assert stores.workflows.get(made.id) == made
    assert stores.workflows.versions(made.id) == [version(made)]
    assert list(stores.workflows.callees(made.id) or ()) == ["w"]
    assert stores.workflows.callees(new_id()) is None
    with pytest.raises(NotFound):
        stores.workflows.get(new_id())
    with pytest.raises(NotFound):
        stores.workflows.version(made.id, 2)


def test_a_workflow_changes_only_from_what_was_read(stores: Stores) -> None:
    old = stores.make()
    new = replace(old, name="New", version=2, is_active=False)
    stores.workflows.change(old, new, version(old, 2, callees=("x",)))
    stored = stores.workflows.get(old.id)
    assert stored == replace(new, revision=2)
    assert [one.version for one in stores.workflows.versions(old.id)] == [2, 1]
    assert list(stores.workflows.callees(old.id) or ()) == ["x"]
    for stale in (old, replace(stored, revision=7)):
        with pytest.raises(VersionConflict):
            stores.workflows.change(stale, new, None)
        with pytest.raises(VersionConflict):
            stores.workflows.delete(stale)
    stores.workflows.delete(stored)
    for gone in (
        lambda: stores.workflows.get(old.id), lambda: stores.workflows.delete(stored),
        lambda: stores.workflows.change(stored, new, None),
    ):  # fmt: skip
        with pytest.raises(NotFound):
            gone()
    assert stores.workflows.version(old.id, 1).version == 1


def test_the_first_published_machine_stays(stores: Stores) -> None:
    made = stores.make()
    read = stores.workflows.version(made.id, 1)
    first = stores.workflows.publish(read, "arn:1", {"gates": {}})
    assert (first.machine_version_arn, first.plan) == ("arn:1", {"gates": {}})
    assert stores.workflows.publish(read, "arn:2", {}) == first
    assert stores.workflows.publish(first, "arn:3", {}).machine_version_arn == "arn:3"


def test_workflows_are_listed_and_searched(stores: Stores) -> None:
    made = [
        stores.make(name=f"Flow {n}", is_active=n % 2 == 0, created_at=NOW + timedelta(seconds=n))
        for n in range(5)
    ][::-1]
    every = WorkflowFilters()
    for size in (2, 5, 10):
        assert pages(stores.workflows.page, every, size) == made
    assert pages(stores.workflows.page, WorkflowFilters(is_active=True), 2) == made[::2]
    assert pages(stores.workflows.page, WorkflowFilters(search="fLOW 3"), 2) == [made[1]]
    assert (
        pages(stores.workflows.page, WorkflowFilters(search="STOPS", is_active=False), 9)
        == (made[1::2])
    )
    assert stores.workflows.page(every, 4, 2, None) == (made[4:], 5, None)


# ---- executions --------------------------------------------------------------------------------


def test_an_execution_is_created_once_and_counted(stores: Stores) -> None:
    made = stores.make()
    one = execution(made, webhook_url="https://x.example.com/", request_id="r", depth=2)
    for _ in range(2):
        assert stores.executions.create(one, 1, "reject") == one
    assert stores.executions.get(one.id) == one
    assert stores.stats(made) == (1, 0, 0, 0)
    assert stores.workflows.get(made.id).stats.last_execution == NOW
    assert stores.executions.find(new_id()) is None
    with pytest.raises(NotFound):
        stores.executions.get(new_id())


def test_the_limit_queues_rejects_or_waits_for_idleness(stores: Stores) -> None:
    made = stores.make()
    first = stores.start(made, 1)
    later = [stores.start(made, 1, started_at=NOW + timedelta(seconds=n)) for n in (2, 1)]
    assert [one.status for one in (first, *later)] == ["running", "queued", "queued"]
    with pytest.raises(ConcurrencyLimit):
        stores.executions.create(execution(made), 1, "reject")
    busy = execution(made)
    assert stores.executions.create(busy, 9, "queue", only_when_idle=True) is None
    assert stores.executions.create(execution(made), 1, "ignore") is not None
    assert stores.stats(made) == (2, 2, 0, 0)
    assert stores.executions.queued(made.id, 9) == [later[1].id, later[0].id]
    assert stores.executions.queued(made.id, 1) == [later[1].id]
    assert not stores.executions.promote(later[1], 2, NOW)
    assert stores.executions.promote(later[1], 3, NOW)
    assert not stores.executions.promote(later[1], 9, NOW)
    assert stores.executions.get(later[1].id).status == "running"
    assert stores.stats(made) == (3, 1, 0, 0)
    assert len(list(stores.executions.open_ids())) == 4


def test_absent_and_inactive_workflows_start_nothing(stores: Stores) -> None:
    with pytest.raises(NotFound):
        stores.executions.create(execution(workflow()), 1, "queue")
    off = stores.make(is_active=False)
    with pytest.raises(WorkflowInactive):
        stores.executions.create(execution(off), 1, "queue")


def test_an_execution_is_resumed_once(stores: Stores) -> None:
    made = stores.make()
    old = stores.start(made)
    stores.executions.end(old, "failed", NOW)
    first = stores.start(made, resumed_from=old.id, trigger="resume")
    with pytest.raises(NotResumable):
        stores.executions.create(execution(made, resumed_from=old.id), 10, "queue")
    again = stores.executions.create(first, 10, "queue")
    assert again == first


def test_an_execution_ends_once(stores: Stores) -> None:
    made = stores.make()
    run, queued = stores.start(made, 1), stores.start(made, 1)
    stores.executions.launched(run, "arn:1", NOW)
    stores.executions.launched(run, "arn:2", NOW)
    end = NOW + timedelta(seconds=2)
    output, entry = inline_blob({"x": 1}), line()
    assert stores.executions.end(run, "completed", end, output=output, log=entry)
    problem = StepProblem("X", "failed", "a")
    assert not stores.executions.end(run, "failed", end, error=problem)
    stored = stores.executions.get(run.id)
    assert (stored.status, stored.completed_at, stored.output) == ("completed", end, output)
    assert (stored.machine_execution_arn, stored.error, stored.duration) == ("arn:1", None, 2.0)
    assert stores.logs.get(entry.id) == entry
    assert stores.executions.end(queued, "cancelled", end, error=problem)
    assert stores.executions.get(queued.id).error == problem
    assert stores.stats(made) == (0, 0, 1, 1)
    assert stores.workflows.get(made.id).stats.average_duration == 2.0
    assert list(stores.executions.open_ids()) == []


def test_executions_of_a_deleted_workflow_end(stores: Stores) -> None:
    made = stores.make()
    run = stores.start(made)
    stores.workflows.delete(stores.workflows.get(made.id))
    assert stores.executions.end(run, "failed", NOW)


def test_executions_are_listed_by_workflow_status_and_time(stores: Stores) -> None:
    one, two = stores.make(), stores.make()
    runs = [
        stores.start((one, two)[n % 2], started_at=NOW + timedelta(seconds=n)) for n in range(6)
    ]
    stores.executions.end(runs[0], "completed", NOW)
    newest = [stores.executions.get(run.id) for run in reversed(runs)]
    for size in (2, 6, 9):
        assert pages(stores.executions.page, ExecutionFilters(), size) == newest
    assert pages(stores.executions.page, ExecutionFilters(workflow_id=one.id), 2) == newest[1::2]
    done = ExecutionFilters(status="completed")
    assert pages(stores.executions.page, done, 2) == newest[5:]
    between = ExecutionFilters(from_=runs[1].started_at, to=runs[3].started_at)
    assert pages(stores.executions.page, between, 2) == newest[2:5]
    assert stores.executions.page(ExecutionFilters(), 5, 3, None)[0] == newest[5:]


# ---- the ledger --------------------------------------------------------------------------------


def test_a_step_is_settled_once(stores: Stores) -> None:
    run = stores.start(stores.make())
    begun = step(run, attempts=2, content_hash="h", order=(1, 2), items=inline_blob([1]))
    stores.ledger.begin(run, begun)
    done = replace(
        begun, status="completed", completed_at=NOW, route="next", output=inline_blob({"x": 1})
    )
    skipped, entry = step(run, "b", status="skipped", completed_at=NOW), line()
    stores.ledger.record(run, done, log=entry, skipped=[skipped])
    for late in (done, replace(done, status="failed")):
        with pytest.raises(Settled):
            stores.ledger.record(run, late)
        with pytest.raises(Settled):
            stores.ledger.begin(run, late)
    seen = stores.ledger.view(run.id, ["a", "b", "a", "absent"])
    assert (seen.execution, dict(seen.steps)) == (run, {"a": done, "b": skipped})
    assert stores.logs.get(entry.id) == entry
    assert stores.ledger.view(new_id(), ["a"]).execution is None


def test_a_skip_never_replaces_a_record(stores: Stores) -> None:
    run = stores.start(stores.make())
    first = step(run, "b", status="skipped", completed_at=NOW, content_hash="first")
    ended = [step(run, name, status="completed", completed_at=NOW) for name in ("a", "c")]
    stores.ledger.record(run, ended[0], skipped=[first])
    again = replace(first, content_hash="second")
    stores.ledger.record(run, ended[1], skipped=[again])
    assert stores.ledger.view(run.id, ["b"]).steps["b"] == first


def test_waiting_steps_make_the_execution_wait(stores: Stores) -> None:
    run = stores.start(stores.make())
    for name in ("a", "b"):
        stores.ledger.record(run, step(run, name, status="waiting"), parked=1)
    waiting = stores.executions.get(run.id)
    assert (waiting.status, waiting.parked) == ("waiting", 2)
    for name in ("a", "b"):
        done = step(run, name, status="completed", completed_at=NOW)
        stores.ledger.record(waiting, done, parked=-1)
    going = stores.executions.get(run.id)
    assert (going.status, going.parked) == ("running", 0)
    stores.executions.end(going, "failed", NOW)
    with pytest.raises(Settled):
        stores.ledger.record(going, step(run, "c", status="waiting"), parked=1)


def test_open_steps_are_cancelled_and_others_stay(stores: Stores) -> None:
    run = stores.start(stores.make())
    stores.ledger.begin(run, step(run, "late", started_at=NOW + timedelta(seconds=1)))
    stores.ledger.begin(run, step(run, "loop[0].x", order=(2,)))
    stores.ledger.record(run, step(run, "done", status="completed", completed_at=NOW, order=(1,)))
    assert [one.step_id for one in stores.ledger.steps(run.id)] == ["done", "loop[0].x", "late"]
    assert [one.step_id for one in stores.ledger.steps(run.id, "loop[")] == ["loop[0].x"]
    stopped = stores.ledger.cancel_open(run, NOW)
    assert [(one.step_id, one.status) for one in stopped] == [
        ("loop[0].x", "running"), ("late", "running"),
    ]  # fmt: skip
    statuses = [one.status for one in stores.ledger.steps(run.id)]
    assert statuses == ["completed", "cancelled", "cancelled"]
    assert stores.ledger.cancel_open(run, NOW) == []


def test_steps_are_reused_gates_kept_and_effects_claimed(stores: Stores) -> None:
    made = stores.make()
    old, new = stores.start(made), stores.start(made)
    done = step(old, status="completed", completed_at=NOW, reused=True)
    stores.ledger.reuse(new, [done])
    assert stores.ledger.steps(new.id) == [replace(done, execution_id=new.id)]
    assert stores.ledger.gate(old.id, "g") is None
    for token in ("one", "two"):
        stores.ledger.keep_gate(old, "g", token)
    assert stores.ledger.gate(old.id, "g") == "two"
    begin = stores.ledger.effect_begin
    assert begin(old, "a", "try-1") == EffectState("new")
    assert begin(old, "a", "try-1") == EffectState("new")
    assert begin(old, "a", "try-2") == EffectState("begun")
    stores.ledger.effect_done(old, "a", {"id": "m"})
    assert begin(old, "a", "try-2") == EffectState("done", {"id": "m"})
    stores.ledger.effect_clear(old.id, "a")
    assert begin(old, "a", "try-3") == EffectState("new")


# ---- logs, approvals, triggers, blobs ----------------------------------------------------------


def test_logs_are_filtered(stores: Stores) -> None:
    lines = [
        line(
            timestamp=NOW + timedelta(seconds=n), level="error" if n % 2 else "info",
            execution_id=f"e{n // 2}", step_id=f"s{n}", message=f"Line {n}",
        )
        for n in range(6)
    ]  # fmt: skip
    stores.logs.write(*lines)
    newest = lines[::-1]
    assert pages(stores.logs.page, LogFilters(), 2) == newest
    assert pages(stores.logs.page, LogFilters(level="error"), 2) == newest[::2]
    assert pages(stores.logs.page, LogFilters(execution_id="e1"), 9) == newest[2:4]
    assert pages(stores.logs.page, LogFilters(step_id="s5", q="LINE"), 9) == newest[:1]
    assert pages(stores.logs.page, LogFilters(workflow_id="other"), 9) == []
    between = LogFilters(from_=lines[1].timestamp, to=lines[4].timestamp)
    assert pages(stores.logs.page, between, 3) == newest[1:5]
    assert stores.logs.page(LogFilters(), 4, 4, None) == (newest[4:], 6, None)
    with pytest.raises(NotFound):
        stores.logs.get(new_id())


def approval(**changes: Any) -> Approval:
    values: dict[str, Any] = {
        "id": new_id(), "execution_id": "e", "workflow_id": "w", "step_id": "ask",
        "subject_hash": "h", "title": "Stop it?", "description": "", "requested_by": USER,
        "requested_at": NOW, "quorum": 1, "approver_role": "client",
        "expires_at": NOW + timedelta(hours=1), "task_token": "one", "approvers": (USER,),
        **changes,
    }  # fmt: skip
    return Approval(**values)


def test_an_approval_keeps_its_votes(stores: Stores) -> None:
    asked = stores.approvals.open(approval())
    assert stores.approvals.open(asked) == asked
    vote = Vote(USER, "a@example.com", "approve", "", NOW, "h")
    voted = stores.approvals.change(asked, replace(asked, votes=(vote,)))
    assert (voted.revision, stores.approvals.get(asked.id)) == (2, voted)
    with pytest.raises(ApprovalChanged):
        stores.approvals.change(asked, asked)
    retried = stores.approvals.open(replace(asked, task_token="two"))
    assert (retried.task_token, retried.votes) == ("two", (vote,))
    ended = stores.approvals.change(retried, replace(retried, status="approved", decided_at=NOW))
    assert stores.approvals.open(replace(asked, task_token="three")) == ended
    with pytest.raises(NotFound):
        stores.approvals.get(new_id())


def test_approvals_are_listed_as_they_stand(stores: Stores) -> None:
    rows = [
        stores.approvals.open(
            approval(requested_at=NOW + timedelta(seconds=n), expires_at=NOW + timedelta(minutes=n))
        )
        for n in range(4)
    ]
    decided = stores.approvals.change(rows[3], replace(rows[3], status="approved"))
    now = NOW + timedelta(minutes=1)

    def of(status: Any) -> list[Any]:
        return pages(stores.approvals.page, ApprovalFilters(status, now), 2)

    assert of("pending") == [rows[2]]
    assert of("expired") == [rows[1], rows[0]]
    assert of("approved") == [decided]
    assert of(None) == [decided, rows[2], rows[1], rows[0]]


def test_schedules_and_hooks_belong_to_a_workflow(stores: Stores) -> None:
    made = stores.make()
    schedule = Schedule(
        made.id, "rate(1 day)", "UTC", {"n": "x"}, True, None, NOW, "skip", USER, NOW, NOW
    )
    hook = Hook(new_id(), made.id, USER, NOW, "sealed")
    later = replace(hook, id=new_id(), created_at=NOW + timedelta(seconds=1), name="n")
    assert stores.triggers.put_schedule(schedule) == schedule
    again = replace(schedule, enabled=False, created_at=NOW + timedelta(days=1))
    second = stores.triggers.put_schedule(again)
    assert (second.revision, second.created_at, second.enabled) == (2, NOW, False)
    assert stores.triggers.schedule(made.id) == second
    for one in (hook, later):
        stores.triggers.add_hook(one)
    assert stores.triggers.hooks(made.id) == [later, hook]
    rotated = replace(hook, sealed_secret="new", sealed_previous="sealed", rotated_at=NOW)
    stores.triggers.change_hook(rotated)
    assert stores.triggers.hook(made.id, hook.id) == rotated
    stores.triggers.delete_hook(made.id, hook.id)
    stores.triggers.delete_schedule(made.id)
    for absent in (
        lambda: stores.triggers.hook(made.id, hook.id),
        lambda: stores.triggers.hook(new_id(), later.id),
        lambda: stores.triggers.delete_hook(made.id, hook.id),
        lambda: stores.triggers.change_hook(hook),
        lambda: stores.triggers.schedule(made.id),
        lambda: stores.triggers.delete_schedule(made.id),
        lambda: stores.triggers.put_schedule(replace(schedule, workflow_id=new_id())),
        lambda: stores.triggers.add_hook(replace(hook, workflow_id=new_id())),
    ):
        with pytest.raises(NotFound):
            absent()
    stores.triggers.put_schedule(schedule)
    stores.workflows.delete(stores.workflows.get(made.id))
    assert stores.triggers.hooks(made.id) == []
    with pytest.raises(NotFound):
        stores.triggers.schedule(made.id)


def test_blobs_are_inline_or_objects_of_their_place(stores: Stores) -> None:
    value = {"text": "é" * 100}
    small = stores.blobs.put("execution/a", value)
    large = stores.blobs.put("execution/a", value, inline=10)
    assert (small.key, large.text, small.sha256, small.size) == (
        None, None, large.sha256, large.size,
    )  # fmt: skip
    assert stores.blobs.get("execution/a", small) == value
    assert stores.blobs.get("execution/a", large) == value
    for place, blob in (
        ("execution/b", large), ("execution/a", replace(large, size=1)),
        ("execution/a", replace(large, sha256="0" * 64)),
    ):  # fmt: skip
        with pytest.raises(BlobBroken):
            stores.blobs.get(place, blob)
