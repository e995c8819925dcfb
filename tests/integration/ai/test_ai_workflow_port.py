"""The ai node's port: a try after a death neither asks nor pays again."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from tidegate.ai import wiring
from tidegate.ai.domain import Reply, Usage
from tidegate.ai.providers import ProviderFailed
from tidegate.workflows.domain import Blob, Execution, digest
from tidegate.workflows.nodes import StepError
from tidegate.workflows.nodes.ports import AiRequest
from tidegate.workflows.ports.ai import StepAi
from tidegate_kit.budgets import period_of
from tidegate_kit.clock import system_clock
from tidegate_kit.ids import new_id
from tidegate_kit.settings import Settings
from tidegate_kit.tenancy import TenantScope

from tests.fakes.ai import ScriptedProvider
from tests.fakes.faults import SideEffect, enumerate_faults

REQUEST = AiRequest("Hello?", None, None, None, None, None)


@dataclass
class World:
    """One step of one tenant, and the provider that it asks."""

    provider: ScriptedProvider
    scope: TenantScope
    port: StepAi

    def run(self) -> str:
        return self.port.infer(REQUEST, effect_key="run/step").text


def make_world(monkeypatch: pytest.MonkeyPatch) -> World:
    provider, scope = ScriptedProvider(), TenantScope(new_id())
    other = ScriptedProvider(available=False)
    both = {"bedrock": provider, "openai_compatible": other}
    monkeypatch.setattr(wiring, "providers", lambda settings: both)
    execution = Execution(
        id=new_id(), workflow_id=new_id(), workflow_version=1, status="running", trigger="api",
        principal=new_id(), started_at=system_clock(), input=Blob(2, digest("{}"), text="{}"),
        timeout_seconds=60,
    )  # fmt: skip
    return World(provider, scope, StepAi(scope, execution))


@pytest.fixture
def world(platform: Settings, monkeypatch: pytest.MonkeyPatch) -> World:
    return make_world(monkeypatch)


def paid(world: World) -> tuple[int, int, int]:
    """(requests, billionths used, billionths reserved)."""
    today = system_clock().date()
    rows = wiring.store_of(world.scope).usage(today, today)
    spend = wiring.budgets_of(world.scope.tenant_id).spend(period_of(system_clock()))
    return sum(row.requests for row in rows), spend.used, spend.reserved


def test_the_answer_is_the_nodes_and_repeated_it_is_the_same(world: World) -> None:
    first = world.port.infer(REQUEST, effect_key="run/step")
    assert (first.text, first.model, first.cost) == ("hello", "nova-lite", pytest.approx(1.8e-6))
    assert first.usage == {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}
    assert world.port.infer(REQUEST, effect_key="run/step") == first
    assert (len(world.provider.asked), paid(world)) == (1, (1, 1800, 0))


def test_what_may_help_is_tried_again_and_what_may_not_is_not(world: World) -> None:
    world.provider.script = [ProviderFailed("rate_limited", "429"), Reply("at last", Usage(1, 1))]
    with pytest.raises(StepError) as limited:
        world.run()
    assert (limited.value.code, limited.value.retryable) == ("PROVIDER_RATE_LIMITED", True)
    assert world.run() == "at last"
    unknown = AiRequest("x", None, "no-such", None, None, None)
    with pytest.raises(StepError) as refused:
        world.port.infer(unknown, effect_key="other")
    assert (refused.value.code, refused.value.retryable) == ("UNKNOWN_MODEL", False)


def test_an_answer_that_fits_no_schema_is_not_bought_a_second_time(world: World) -> None:
    schema = AiRequest("x", None, None, None, None, {"type": "integer"})
    for _ in range(2):
        with pytest.raises(StepError, match="OUTPUT_INVALID"):
            world.port.infer(schema, effect_key="run/step")
    assert len(world.provider.asked) == 2, "one inference: the question and its one repetition"


@pytest.mark.hazard("E18")
@pytest.mark.bite("tidegate.ai.service.inference.claimed_before", returns=False)
def test_every_fault_of_a_step_asks_and_pays_at_most_once(
    platform: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """E18: each call of an ai step fails in each way; the retry gives the first answer, or
    says that it cannot tell, and never buys a second one."""

    @contextlib.contextmanager
    def fresh() -> Iterator[World]:
        yield make_world(monkeypatch)

    def flow(world: World) -> None:
        world.run()

    def again(world: World) -> None:
        with contextlib.suppress(StepError):
            world.run()

    def at_most_once(world: World) -> None:
        requests, used, _ = paid(world)
        assert len(world.provider.asked) <= 1, "asked twice"
        assert (requests, used) in ((0, 0), (1, 1800)), "paid once, or not yet"

    report = enumerate_faults(
        flow,
        again,
        at_most_once,
        fresh,
        name="ai step",
        side_effects=[SideEffect("tests.fakes.ai.ScriptedProvider.ask")],
    )
    assert len(report.cases) >= 20
