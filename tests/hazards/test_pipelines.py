"""Pipelines killed at every call; ticks doubled, missed, and of tenants that are gone."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from tidegate.pipelines import schedules, wiring
from tidegate.pipelines.budget import budget_store
from tidegate.pipelines.errors import PipelineRunning, Superseded
from tidegate.pipelines.executions import MAY_LAST, PIPELINES, PipelineName
from tidegate.pipelines.repository import DynamoCostSeries, DynamoExecutions, GlobalPipelines
from tidegate.pipelines.service.ticks import TickParts, repair, start_due
from tidegate.pipelines.stages.cost_explorer import PRICE
from tidegate_kit.budgets import sweep
from tidegate_kit.clock import FixedClock
from tidegate_kit.ids import new_id
from tidegate_kit.settings import Settings
from tidegate_kit.tenancy import TenantScope

from tests.builders.pipelines import ONE, START, World, accounts
from tests.fakes.faults import Kind, SideEffect, enumerate_faults
from tests.fakes.races import race

WRITES = frozenset({"TransactWriteItems", "UpdateItem", "PutItem"})
GIVEN: dict[str, dict[str, Any]] = {"cost-ingest": {"start": "2026-03-01", "end": "2026-03-02"}}
KILLS = (Kind.KILL_BEFORE, Kind.KILL_AFTER)  # of the longest flow; all kinds in the long mode
HEADER = "ChargePeriodStart,SubAccountId,ServiceName,BilledCost,BillingCurrency,x_UsageType\n"


def store_world(clock: FixedClock | None = None) -> World:
    """A tenant on the real tables."""
    tenant_id = new_id()
    return World(
        DynamoExecutions(TenantScope(tenant_id)),
        DynamoCostSeries(TenantScope(tenant_id)),
        budget_store(tenant_id),
        tenant_id=tenant_id,
        clock=clock or FixedClock(START),
        connected_accounts=accounts(ONE),
        uploaded={"a.csv": ("1", f"{HEADER}2026-02-01,{ONE},AmazonS3,4,USD,Storage\n")},
    )


def assert_whole(world: World, name: PipelineName, execution_id: str) -> None:
    """Ended once, everything done, nothing twice, no money left reserved."""
    found = world.executions.get(execution_id)
    assert found is not None
    assert found.status == "completed", found
    pipeline = world.executions.pipeline(name)
    assert (pipeline.running_id, pipeline.last_id) == (None, execution_id)
    _, total, _ = world.executions.page(name, 0, 10, None)
    assert total == 1
    assert execution_id in world.launched
    assert all(len(runs) == 1 for runs in world.discoveries.values())
    if name == "cost-ingest":
        totals = world.costs.totals(ONE, date(2026, 1, 1), date(2026, 12, 31))
        assert [(day.isoformat(), source, amount) for day, source, amount in totals] == [
            ("2026-02-01", "focus", Decimal(4)),
            ("2026-03-01", "ce", Decimal("1.50")),
            ("2026-03-02", "ce", Decimal("1.50")),
        ]
        later = FixedClock(world.clock() + timedelta(minutes=10))
        sweep(wiring.reservations(), budget_store, later)
        spend = world.budget_store.spend("2026-03")
        assert spend.reserved == 0
        # One failed before it was asked, and nobody could tell.
        assert spend.used <= PRICE * (len(world.asked) + 1)


@pytest.mark.hazard("H1")
@pytest.mark.parametrize("name", PIPELINES)
@pytest.mark.parametrize(
    "every", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["writes", "all"]
)
def test_every_fault_of_a_pipeline_leaves_no_gap_and_no_double(
    platform: Settings, name: PipelineName, every: bool
) -> None:
    """H1: each call throttled, killed, or its answer lost; the execution is taken up again."""
    execution_id = new_id()

    @contextlib.contextmanager
    def fresh() -> Iterator[World]:
        yield store_world()

    def flow(world: World) -> None:
        world.run(name, GIVEN.get(name), execution_id)

    def whole(world: World) -> None:
        assert_whole(world, name, execution_id)

    targets = ("page", "start", "refresh", "measure_savings", "retrain")
    enumerate_faults(
        flow,
        flow,
        whole,
        fresh,
        name=name,
        counts=lambda service, operation: every or operation in WRITES,
        side_effects=[SideEffect(f"tests.builders.pipelines.World.{one}") for one in targets],
        redeliveries=1,
        kinds=tuple(Kind) if every or name != "cost-ingest" else KILLS,
    )


@pytest.mark.hazard("H2")
def test_two_workers_of_one_execution_do_its_work_once(platform: Settings) -> None:
    """H2: the machine's task comes twice at once; one writes each step, the other goes on."""
    world = store_world()
    begun = world.runs.start("cost-ingest", new_id(), "api", GIVEN["cost-ingest"])

    def work(worker: int, rnd: int) -> None:
        with contextlib.suppress(Superseded):
            world.drive(begun.id)

    race(4, work, rounds=1)
    world.drive(begun.id)
    assert_whole(world, "cost-ingest", begun.id)


@pytest.mark.hazard("H2")
def test_one_of_many_starts_wins(platform: Settings) -> None:
    """H2: eight starts of one pipeline at once: one execution, the others are told (PIP-1)."""
    worlds = [store_world() for _ in range(20)]
    outcome = race(
        8, lambda worker, rnd: worlds[rnd].runs.start("model-retrain", new_id(), "api"), rounds=20
    )
    outcome.assert_one_winner(loses_with=PipelineRunning)
    assert all(len(world.launched) == 1 for world in worlds)


# ------------------------------------------------------------------------------ the clock


def tick_parts(world: World, *, active: bool = True) -> TickParts:
    """The tick of one tenant's world."""
    return TickParts(
        GlobalPipelines(),
        lambda tenant_id: DynamoExecutions(TenantScope(tenant_id)),
        lambda tenant_id: world.runs,
        lambda tenant_id: active,
        world.clock,
    )


def due_world(expression: str = "cron(0 5 * * ? *)") -> World:
    """A tenant whose savings-ledger starts by a schedule."""
    world = store_world()
    world.runs.set_schedule("savings-ledger", expression, True)
    return world


@pytest.mark.hazard("H16")
@pytest.mark.bite("tidegate.pipelines.service.ticks.id_from", replacement=lambda text: new_id())
def test_a_doubled_tick_is_one_execution(platform: Settings) -> None:
    """H16: two ticks at once, and one that died before it moved the time on: one execution."""
    world = due_world()
    world.clock.now = datetime(2026, 3, 10, 5, 2, tzinfo=UTC)
    parts = tick_parts(world)
    dies = parts.store_of

    class Dying(DynamoExecutions):
        def passed(self, *given: Any) -> bool:
            raise KeyboardInterrupt  # the process ends here

    broken = TickParts(
        parts.everything,
        lambda tenant_id: Dying(TenantScope(tenant_id)),
        parts.runs_of,
        parts.active,
        parts.clock,
    )
    with pytest.raises(KeyboardInterrupt):
        start_due(broken)
    world.drive(world.launched[0])
    race(4, lambda worker, rnd: start_due(parts), rounds=1)
    assert start_due(parts) == 0
    _, total, _ = dies(world.tenant_id).page("savings-ledger", 0, 10, None)
    assert (total, len(world.measured)) == (1, 1)
    schedule = dies(world.tenant_id).pipeline("savings-ledger").schedule
    assert schedule.next_at == datetime(2026, 3, 11, 5, 0, tzinfo=UTC)


@pytest.mark.hazard("H16")
def test_missed_ticks_are_made_up_for_once(platform: Settings) -> None:
    """H16: the platform slept for three days: one execution, then the usual times again."""
    world = due_world("rate(1 hour)")
    world.clock.advance(days=3)
    parts = tick_parts(world)
    assert start_due(parts) == 1
    assert start_due(parts) == 0
    schedule = world.executions.pipeline("savings-ledger").schedule
    assert schedule.next_at is not None
    assert timedelta(0) < schedule.next_at - world.clock() <= timedelta(hours=1)


@pytest.mark.hazard("H16")
def test_a_time_that_comes_while_the_last_one_runs_is_left_out(platform: Settings) -> None:
    """H16: no second execution beside a running one, and no pile of them after it."""
    world = due_world("rate(1 hour)")
    running = world.runs.start("savings-ledger", new_id(), "api")
    parts = tick_parts(world)
    world.clock.advance(hours=1, minutes=1)
    assert start_due(parts) == 0
    world.drive(running.id)
    assert start_due(parts) == 0
    world.clock.advance(hours=1)
    assert start_due(parts) == 1


@pytest.mark.hazard("H17")
@pytest.mark.bite("tidegate.pipelines.service.ticks.may_run", returns=True)
def test_no_pipeline_starts_for_a_tenant_that_is_off(platform: Settings) -> None:
    """H17: a switched-off or deleted tenant's time passes; switched on again, it goes on."""
    world = due_world()
    world.clock.now = datetime(2026, 3, 10, 5, 2, tzinfo=UTC)
    assert start_due(tick_parts(world, active=False)) == 0
    assert world.launched == []
    world.clock.advance(days=1)
    assert start_due(tick_parts(world)) == 1


@pytest.mark.hazard("H17")
def test_a_disabled_schedule_has_no_time(platform: Settings) -> None:
    """H17: switched off, nothing starts, also where the index still shows it."""
    world = due_world()
    parts = tick_parts(world)
    world.clock.now = datetime(2026, 3, 10, 5, 2, tzinfo=UTC)
    shown = parts.everything.due(world.clock(), 10)
    assert [due.tenant_id for due in shown] == [world.tenant_id]
    world.runs.set_schedule("savings-ledger", None, False)
    assert parts.everything.due(world.clock(), 10) == []

    class Lagging:
        def due(self, now: datetime, limit: int) -> Any:
            return shown

        def running(self, before: datetime, limit: int) -> Any:
            return []

    late = TickParts(Lagging(), parts.store_of, parts.runs_of, parts.active, parts.clock)
    assert start_due(late) == 0


@pytest.mark.hazard("H1")
@pytest.mark.bite("tidegate.pipelines.service.runs.must_launch", returns=False)
def test_an_execution_whose_starter_died_is_launched_by_the_next_tick(platform: Settings) -> None:
    """H1: the row is stored, the process dies before it starts the machine."""
    world = store_world()

    def dies(execution: object) -> None:
        raise KeyboardInterrupt

    broken = world.runs
    broken._launch = dies
    with contextlib.suppress(KeyboardInterrupt):
        broken.start("model-retrain", "e" * 8, "api")
    parts = tick_parts(world)
    assert repair(parts) == 0, "its starter may still be at it"
    world.clock.advance(minutes=3)
    repair(parts)
    assert world.launched == ["e" * 8]
    assert repair(parts) == 0
    world.clock.now = START + MAY_LAST
    assert repair(parts) == 1
    ended = world.executions.get("e" * 8)
    assert ended is not None
    assert (ended.status, ended.stages[0].all_problems[0].code) == ("failed", "TIMED_OUT")
    assert repair(parts) == 0


@pytest.mark.hazard("H16")
def test_the_default_schedules_come_as_often_as_promised() -> None:
    """H16: four daily and one weekly, spread over the hour, for a year with both changes of DST."""
    tenants = [new_id() for _ in range(200)]
    for name in PIPELINES:
        expression = schedules.default_expression(tenants[0], name)
        schedules.check(expression, START)
        moment, count = datetime(2026, 1, 1, tzinfo=UTC), 0
        while True:
            following = schedules.next_run(expression, moment)
            assert following is not None
            if following.year > 2026:
                break
            moment, count = following, count + 1
        assert count == (52 if name == "model-retrain" else 365)
    minutes = {schedules.default_expression(one, "cost-ingest") for one in tenants}
    assert len(minutes) > 40
