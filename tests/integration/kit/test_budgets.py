"""Budgets: DynamoDB and its twin under one contract."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from tidegate.ai.models import AI_BUDGET
from tidegate_kit.budget_store import DynamoBudgetStore, DynamoGlobalReservations
from tidegate_kit.budgets import (
    LIFETIME,
    BudgetExceeded,
    Budgets,
    BudgetStore,
    GlobalReservations,
    ReservationEnded,
    period_of,
    resets_at,
    sweep,
)
from tidegate_kit.clock import FixedClock
from tidegate_kit.ids import new_id
from tidegate_kit.tenancy import TenantScope

from tests.fakes.budgets import MemoryBudgets

START = datetime(2026, 3, 31, 23, 50, tzinfo=UTC)


@dataclass
class World:
    """One tenant's budgets and the clock that they live by."""

    tenant_id: str
    clock: FixedClock
    store_of: Callable[[str], BudgetStore]
    everything: GlobalReservations

    @property
    def store(self) -> BudgetStore:
        return self.store_of(self.tenant_id)

    @property
    def budgets(self) -> Budgets:
        return Budgets(self.store, self.clock, new_id)

    def counted(self, user_id: str | None = None) -> tuple[int, int]:
        spend = self.store.spend(period_of(START), user_id)
        return spend.used, spend.reserved

    def sweep(self) -> int:
        return sweep(self.everything, self.store_of, self.clock)


@pytest.fixture(params=["memory", "dynamo"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    clock = FixedClock(START)
    if request.param == "memory":
        memory = MemoryBudgets()
        yield World(new_id(), clock, memory.of, memory)
        return
    request.getfixturevalue("platform")
    yield World(
        new_id(),
        clock,
        lambda tenant_id: DynamoBudgetStore(TenantScope(tenant_id), AI_BUDGET),
        DynamoGlobalReservations(AI_BUDGET),
    )


def test_without_limits_everything_is_counted_and_nothing_refused(world: World) -> None:
    made = world.budgets.reserve(10**15, "ada")
    assert world.counted() == (0, 10**15)
    world.budgets.settle(made, 7)
    assert world.counted() == world.counted("ada") == (7, 0)
    assert world.store.spend("2026-03").remaining(None) is None


def test_the_last_unit_is_given_and_not_one_more(world: World) -> None:
    world.store.set_limits(10, None, START)
    world.budgets.reserve(9)
    with pytest.raises(BudgetExceeded):
        world.budgets.reserve(2)
    world.budgets.reserve(1)
    with pytest.raises(BudgetExceeded):
        world.budgets.reserve(1)
    assert world.counted() == (0, 10)
    world.budgets.reserve(0)


def test_a_user_has_a_budget_of_his_own_within_the_tenants(world: World) -> None:
    world.store.set_limits(10, 6, START)
    world.budgets.reserve(6, "ada")
    with pytest.raises(BudgetExceeded):
        world.budgets.reserve(1, "ada")
    with pytest.raises(BudgetExceeded):
        world.budgets.reserve(5, "bob")
    assert world.counted("bob") == (0, 0), "a refusal takes nothing"
    world.budgets.reserve(4, "bob")
    assert (world.counted(), world.counted("ada")) == ((0, 10), (0, 6))


def test_limits_are_those_of_the_moment(world: World) -> None:
    world.store.set_limits(5, None, START)
    made = world.budgets.reserve(5)
    assert world.store.set_limits(20, 20, START).revision == 2
    world.budgets.reserve(15)
    lowered = world.store.set_limits(3, None, START)
    assert (lowered.monthly, lowered.per_user) == (3, None)
    with pytest.raises(BudgetExceeded):
        world.budgets.reserve(1)
    world.budgets.settle(made, 5)
    assert world.store.spend("2026-03").remaining(3) == 0


def test_one_id_is_one_reservation(world: World) -> None:
    first = world.budgets.reserve(5, "ada", reservation_id="one")
    assert world.budgets.reserve(5, "ada", reservation_id="one") == first
    assert world.counted() == (0, 5)


def test_a_reservation_ends_once(world: World) -> None:
    made = world.budgets.reserve(5, "ada")
    assert world.budgets.settle(made, 3).settled == 3
    assert world.budgets.settle(made, 4).settled == 3
    assert world.budgets.release(made).state == "settled"
    assert world.counted() == world.counted("ada") == (3, 0)
    given_back = world.budgets.reserve(5)
    world.budgets.release(given_back)
    world.budgets.release(given_back)
    assert world.counted() == (3, 0)
    with pytest.raises(ReservationEnded):
        world.store.close(given_back, made, START)


def test_the_sweep_releases_what_a_dead_worker_left(world: World) -> None:
    world.store.set_limits(5, None, START)
    dead, done = world.budgets.reserve(3), world.budgets.reserve(2)
    world.budgets.settle(done, 2)
    assert world.sweep() == 0
    world.clock.now = START + LIFETIME
    assert world.sweep() == 1
    assert world.sweep() == 0
    assert world.counted() == (2, 0)
    world.budgets.settle(dead, 1)
    assert world.counted() == (3, 0), "it was spent all the same, in the month it was reserved for"


def test_months(world: World) -> None:
    assert resets_at(START) == datetime(2026, 4, 1, tzinfo=UTC)
    assert resets_at(datetime(2026, 12, 31, tzinfo=UTC)) == datetime(2027, 1, 1, tzinfo=UTC)
    world.store.set_limits(5, None, START)
    made = world.budgets.reserve(5)
    world.clock.advance(minutes=11)
    world.budgets.reserve(5)
    world.budgets.settle(made, 4)
    assert world.counted() == (4, 0)
    assert world.store.spend("2026-04").reserved == 5


def test_amounts_are_not_negative(world: World) -> None:
    with pytest.raises(ValueError, match="negative"):
        world.budgets.reserve(-1)
    made = world.budgets.reserve(2)
    with pytest.raises(ValueError, match="negative"):
        world.budgets.settle(made, -1)
    assert world.budgets.settle(made, 9).settled == 2, "never more than was reserved"
