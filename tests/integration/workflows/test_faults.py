"""H1 for workflows: start, steps, approval and cancel, every call failing once in four ways."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest
from tidegate.workflows import tasks, wiring
from tidegate.workflows.domain import Execution, RunSettings, Step
from tidegate.workflows.errors import AlreadyDecided, ApprovalClosed, ExecutionFinished
from tidegate.workflows.ports.approvals import approval_id_of
from tidegate.workflows.repository.logs import LogFilters
from tidegate.workflows.service import definitions
from tidegate.workflows.service.approvals import Voter
from tidegate.workflows.service.executions import Start
from tidegate.workflows.service.workflows import Draft
from tidegate_kit.errors import ServiceUnavailable
from tidegate_kit.ids import new_id
from tidegate_kit.settings import Settings, settings_of
from tidegate_kit.tenancy import TenantScope

from tests.builders.members import sign_in
from tests.builders.settings import PREFIX, REGION
from tests.builders.workflows import (
    ENVIRONMENT,
    chain,
    follow_stream,
    graph,
    make_bucket,
    node,
)
from tests.builders.workflows import edge as arrow
from tests.fakes.faults import SideEffect, enumerate_faults
from tests.fakes.tables import empty_tables
from tests.fakes.workflows import EngineMachines

USER, COLLEAGUE = new_id(), new_id()
CHAIN = chain(node("a", output={"x": "{{n}}"}), node("b", output={"y": "{{nodes.a.output.x}}"}))
ASKING = graph(
    node("start", "start"), node("ask", "approval", title="Stop it?"), node("act"),
    arrow("start", "ask"), arrow("ask", "act", "true"),
)  # fmt: skip


@dataclass
class Machines(EngineMachines):
    """Step Functions that runs nothing by itself and remembers what it is told."""

    answers: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)

    def succeed(self, token: str, data: Mapping[str, Any]) -> bool:
        self.answers.append((token, dict(data)))
        return True

    def stop(self, execution_arn: str, error: str) -> None:
        self.stopped.append(execution_arn)


@dataclass
class World:
    """One tenant with one workflow, on fresh tables."""

    scope: TenantScope
    machines: Machines
    workflow_id: str = ""
    execution_id: str = field(default_factory=new_id)

    @property
    def services(self) -> wiring.Services:
        return wiring.services_of(self.scope, USER)

    @property
    def execution(self) -> Execution:
        return self.services.repositories.executions.get(self.execution_id)

    @property
    def steps(self) -> dict[str, Step]:
        found = self.services.repositories.ledger.steps(self.execution_id)
        return {step.step_id: step for step in found}

    def begin(self) -> None:
        wish = Start(self.execution_id, self.workflow_id, {"n": 7}, USER)
        self.services.executions.begin(wish)

    def call(self, action: str, step_id: str | None = None, **more: Any) -> dict[str, Any]:
        """The step function, as the machine calls it."""
        event = {
            "tenant_id": self.scope.tenant_id, "execution_id": self.execution_id,
            "action": action, **more,
        }  # fmt: skip
        return dict(tasks.step(event if step_id is None else {**event, "step_id": step_id}, None))

    def counters(self) -> tuple[int, int, int, int]:
        """(active, queued, successful, failed) of the workflow."""
        stats = self.services.repositories.workflows.get(self.workflow_id).stats
        return stats.active, stats.queued, stats.successful, stats.failed

    def lines(self, step_id: str) -> int:
        """How many lines the log has about a step."""
        return self.services.repositories.logs.page(LogFilters(step_id=step_id), 0, 99, None)[1]


Fresh = Callable[[dict[str, Any], Callable[[World], Any]], Callable[[], Any]]


@pytest.fixture
def fresh(platform: Settings, table_specs: Any, monkeypatch: pytest.MonkeyPatch) -> Fresh:
    """Makes worlds: empty tables, a workflow, and what happened before the flow."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    settings_of.cache_clear()
    make_bucket()
    client = boto3.client("dynamodb", region_name=REGION)
    specs = [one for one in table_specs if one.name == f"{PREFIX}-workflows"]

    def of(
        definition: dict[str, Any], before: Callable[[World], Any]
    ) -> Callable[[], AbstractContextManager[World]]:
        @contextlib.contextmanager
        def make() -> Iterator[World]:
            empty_tables(client, specs)
            machines = Machines(tasks.step, paused=True)
            monkeypatch.setattr(wiring, "machines_of", lambda settings: machines)
            world = World(TenantScope(new_id()), machines)
            sign_in(tenant_id=world.scope.tenant_id, user_id=USER)
            draft = Draft("W", "", definition, True, RunSettings())
            world.workflow_id = world.services.workflows.create(draft).workflow.id
            before(world)
            yield world

        return make

    return of


def forget(world: World) -> None:
    """A new process: nothing is remembered."""
    definitions._kept.clear()
    definitions._pins.clear()


def effects(*names: str) -> list[SideEffect]:
    """Calls of Step Functions, numbered with the others."""
    return [
        SideEffect(
            f"tests.integration.workflows.test_faults.Machines.{name}",
            throttled=ServiceUnavailable, lost=ServiceUnavailable,
        )
        for name in names
    ]  # fmt: skip


def product(service: str, operation: str) -> bool:
    """Calls of the product; scans are the test's own."""
    return operation != "Scan"


@pytest.mark.hazard("H1")
@pytest.mark.bite("tidegate.workflows.service.executions.ExecutionService.launch", returns=None)
def test_no_fault_loses_or_doubles_a_start(fresh: Fresh) -> None:
    """H1: an execution that was asked for exists once, is counted once and runs on one machine."""

    def again(world: World) -> None:
        world.begin()
        follow_stream()

    def check(world: World) -> None:
        assert world.execution.status == "running"
        assert world.execution.machine_execution_arn is not None
        assert list(world.machines.runs) == [world.execution_id]
        assert world.counters() == (1, 0, 0, 0)

    enumerate_faults(
        flow=World.begin, redeliver=again, invariants=check, fresh=fresh(CHAIN, lambda _: None),
        name="start an execution", side_effects=effects("publish", "start"), counts=product,
        restart=forget,
    )  # fmt: skip


@pytest.mark.hazard("H1")
def test_no_fault_loses_or_doubles_a_step(fresh: Fresh) -> None:
    """H1: steps that the machine calls again are recorded and told once, and so is the end."""

    def run(world: World) -> None:
        for step_id in ("start", "a", "b", "end"):
            world.call("run", step_id)
        world.call("finish")

    def check(world: World) -> None:
        steps = world.steps
        assert {step.status for step in steps.values()} == {"completed"}
        assert list(steps) == ["start", "a", "b", "end"]
        assert [world.lines(step_id) for step_id in steps] == [1, 1, 1, 1], "told twice"
        assert world.execution.status == "completed"
        assert world.counters() == (0, 0, 1, 0)
        blobs = world.services.repositories.blobs
        output = world.execution.output
        assert output is not None
        assert blobs.get(f"execution/{world.execution_id}", output) == {"x": 7, "y": 7}

    def redeliver(world: World) -> None:
        if not world.execution.ended:
            run(world)

    enumerate_faults(
        flow=run, redeliver=redeliver, invariants=check, fresh=fresh(CHAIN, World.begin),
        name="run the steps", counts=product, restart=forget,
    )  # fmt: skip


def waiting(world: World) -> None:
    """An execution that waits for its approval."""
    world.begin()
    world.call("run", "start")
    world.call("run", "ask", task_token="token-1")


def approve(world: World) -> None:
    """A colleague approves what was shown."""
    approval_id = approval_id_of(world.execution_id, "ask")
    asked = world.services.repositories.approvals.get(approval_id)
    voter = Voter(COLLEAGUE, "eva@example.com", frozenset({"client"}), False, True)
    world.services.approvals.decide(approval_id, voter, "approve", asked.subject_hash, "")


@pytest.mark.hazard("H1")
@pytest.mark.bite(
    "tidegate.workflows.service.approvals.ApprovalService.settle",
    lambda service, approval: approval,
)
def test_no_fault_loses_or_doubles_an_approval(fresh: Fresh) -> None:
    """H1: one vote, one decision, one completed step, and the machine is told the same each
    time."""

    def again(world: World) -> None:
        follow_stream()
        approve(world)

    def check(world: World) -> None:
        approval_id = approval_id_of(world.execution_id, "ask")
        approval = world.services.repositories.approvals.get(approval_id)
        assert (approval.status, len(approval.votes)) == ("approved", 1)
        assert approval.answered
        assert world.steps["ask"].status == "completed"
        assert {token for token, _ in world.machines.answers} == {"token-1"}
        assert len({str(data) for _, data in world.machines.answers}) == 1
        assert (world.execution.status, world.execution.parked) == ("running", 0)
        assert world.lines("ask") == 1

    enumerate_faults(
        flow=approve, redeliver=again, invariants=check, fresh=fresh(ASKING, waiting),
        name="approve a step", side_effects=effects("succeed"), counts=product, restart=forget,
        tolerated=(AlreadyDecided, ApprovalClosed),
    )  # fmt: skip


@pytest.mark.hazard("H1")
def test_no_fault_loses_or_doubles_a_cancel(fresh: Fresh) -> None:
    """H1: a cancelled execution ends once, its machine is stopped and its steps are closed."""

    def cancel(world: World) -> None:
        world.services.executions.cancel(world.execution_id)

    def again(world: World) -> None:
        with contextlib.suppress(ExecutionFinished):
            cancel(world)
        follow_stream()

    def check(world: World) -> None:
        assert world.execution.status == "cancelled"
        assert world.counters() == (0, 0, 0, 1)
        assert world.steps["ask"].status == "cancelled"
        assert world.machines.stopped

    def first(world: World) -> None:
        cancel(world)
        follow_stream()

    enumerate_faults(
        flow=first, redeliver=again, invariants=check, fresh=fresh(ASKING, waiting),
        name="cancel an execution", side_effects=effects("stop"), counts=product, restart=forget,
    )  # fmt: skip
