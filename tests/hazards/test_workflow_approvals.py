"""Approvals of workflow steps: each answers its own step, once, in time, also inside a loop."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from tidegate.workflows import wiring
from tidegate.workflows.domain import Approval, Execution, RunSettings
from tidegate.workflows.errors import AlreadyDecided, ApprovalClosed, SubjectChanged
from tidegate.workflows.ports.approvals import approval_id_of
from tidegate.workflows.service.approvals import Voter
from tidegate.workflows.service.executions import Start
from tidegate.workflows.service.workflows import Draft
from tidegate_kit.clock import FixedClock, system_clock
from tidegate_kit.errors import NotFound
from tidegate_kit.ids import new_id
from tidegate_kit.settings import Settings
from tidegate_kit.tenancy import TenantScope

from tests.builders.members import sign_in
from tests.builders.workflows import (
    ENVIRONMENT,
    edge,
    follow_stream,
    graph,
    install_engine,
    make_bucket,
    node,
)
from tests.fakes.workflows import EngineMachines

SCOPE, USER = TenantScope(new_id()), new_id()
ASK = node("ask", "approval", title="May I?")
GATED = graph(
    node("s", "start"), ASK, node("act"), edge("s", "ask"), edge("ask", "act", "true")
)  # fmt: skip


@pytest.fixture
def engine(platform: Settings, monkeypatch: pytest.MonkeyPatch) -> EngineMachines:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    make_bucket()
    sign_in(tenant_id=SCOPE.tenant_id, user_id=USER)
    return install_engine(monkeypatch)


def services(clock: Any = system_clock, scope: TenantScope = SCOPE) -> wiring.Services:
    return wiring.services_of(scope, USER, clock)


def begin(definition: dict[str, Any]) -> Execution:
    draft = Draft("W", "", definition, True, RunSettings())
    workflow = services().workflows.create(draft).workflow.id
    return services().executions.begin(Start(new_id(), workflow, {}, USER))


def asked(run: Execution, step_id: str = "ask") -> Approval:
    return services().repositories.approvals.get(approval_id_of(run.id, step_id))


def approve(approval: Approval, *, subject: str | None = None, clock: Any = system_clock) -> None:
    voter = Voter(new_id(), "eva@example.com", frozenset({"client"}), False, True)
    said = approval.subject_hash if subject is None else subject
    services(clock).approvals.decide(approval.id, voter, "approve", said, "")


def statuses(run: Execution) -> dict[str, str]:
    return {step.step_id: step.status for step in services().repositories.ledger.steps(run.id)}


def status(run: Execution) -> str:
    return services().repositories.executions.get(run.id).status


@pytest.mark.hazard("E28")
def test_an_approval_answers_its_own_step_once_and_in_time(engine: EngineMachines) -> None:
    """E28 of another run, twice, after a time-out or a cancel: 409, and nothing goes on."""
    first, second, third = begin(GATED), begin(GATED), begin(GATED)
    with pytest.raises(SubjectChanged):
        approve(asked(second), subject=asked(first).subject_hash)
    approve(asked(first))
    engine.settle()
    assert (status(first), status(second)) == ("completed", "waiting")
    with pytest.raises(ApprovalClosed) as twice:
        approve(asked(first))
    services().executions.cancel(second.id)
    follow_stream()  # closes what nobody waits for any more
    with pytest.raises(ApprovalClosed):
        approve(asked(second))
    late = FixedClock(system_clock() + timedelta(days=400))
    with pytest.raises(ApprovalClosed):
        approve(asked(third), clock=late)
    engine.settle()
    assert (status(second), status(third)) == ("cancelled", "waiting")
    assert "act" not in statuses(second) | statuses(third)
    codes = {error.status for error in (twice.value, AlreadyDecided(), SubjectChanged())}
    assert codes == {409}
    with pytest.raises(NotFound):
        services(scope=TenantScope(new_id())).approvals.decide(
            asked(third).id, Voter(new_id(), "e", frozenset({"client"}), True), "approve", "", ""
        )


@pytest.mark.hazard("E28")
def test_a_task_token_answers_one_machine_once(engine: EngineMachines) -> None:
    """E28 a token that was used, or whose run was cancelled, moves no machine."""
    first, second = begin(GATED), begin(GATED)
    token, other = asked(first).task_token, asked(second).task_token
    assert token != other
    approve(asked(first))
    engine.settle()
    assert not engine.succeed(token, {"route": "true"})
    services().executions.cancel(second.id)
    assert not engine.succeed(other, {"route": "true"})
    engine.settle()
    assert "act" not in statuses(second)


@pytest.mark.hazard("E30")
def test_an_approval_in_a_loop_is_asked_for_each_item(engine: EngineMachines) -> None:
    """E30 in a loop of two, one answer lets one item go on; the loop ends with the other's."""
    loop = node("loop", "foreach", items=[1, 2], definition=GATED, max_concurrency=2)
    run = begin(graph(node("s", "start"), loop, node("end", "end"),
                      edge("s", "loop"), edge("loop", "end")))  # fmt: skip
    approve(asked(run, "loop[0].ask"))
    engine.settle()
    assert statuses(run)["loop[0].act"] == "completed"
    assert "loop[1].act" not in statuses(run)
    assert status(run) == "waiting"
    approve(asked(run, "loop[1].ask"))
    engine.settle()
    assert (status(run), statuses(run)["loop[1].act"]) == ("completed", "completed")
