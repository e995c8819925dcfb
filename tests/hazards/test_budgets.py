"""Budgets under parallel calls, deaths and odd ends (H22)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from tidegate.ai import tasks, wiring
from tidegate.ai.domain import InferRequest, Message, Reply, Usage
from tidegate.ai.models import AiReservationItem
from tidegate.ai.service import inference
from tidegate_kit.budgets import LIFETIME, BudgetExceeded, Budgets, Reservation, period_of, sweep
from tidegate_kit.clock import FixedClock, system_clock
from tidegate_kit.ids import new_id
from tidegate_kit.money import to_nano
from tidegate_kit.settings import Settings
from tidegate_kit.tenancy import TenantScope

from tests.fakes.ai import ScriptedProvider
from tests.fakes.cloudformation import load_template
from tests.fakes.faults import Killed
from tests.fakes.races import race

ROOT = Path(__file__).resolve().parents[2]

ASK = InferRequest((Message("user", "x"),), model="nova-pro", max_tokens=100)


def worst_case() -> int:
    """What one ASK reserves."""
    model = wiring.catalogue().model("nova-pro")
    question = inference.Question(ASK.messages, None, ASK.max_tokens, ASK.temperature)
    return inference.worst_case(model.routes[0], question)


@dataclass
class Tenant:
    """A tenant with a budget, his models, and what is known of his money."""

    id: str = field(default_factory=new_id)
    clock: FixedClock = field(default_factory=lambda: FixedClock(system_clock()))

    @property
    def scope(self) -> TenantScope:
        return TenantScope(self.id)

    @property
    def budgets(self) -> Budgets:
        return Budgets(wiring.budgets_of(self.id), self.clock, new_id)

    def limit(self, monthly: int | None, per_user: int | None = None) -> None:
        wiring.budgets_of(self.id).set_limits(monthly, per_user, self.clock())

    def spend(self, user: str | None = None) -> tuple[int, int]:
        found = wiring.budgets_of(self.id).spend(period_of(self.clock()), user)
        return found.used, found.reserved

    def ledger(self) -> tuple[int, int]:
        """(used, reserved) as the reservations themselves say."""
        rows = list(AiReservationItem.query(self.scope.pk, AiReservationItem.sk.startswith("RES#")))
        used = sum(int(row.settled) for row in rows)
        held = sum(int(row.amount) for row in rows if row.state == "reserved")
        return used, held

    def infer(self, user: str) -> str:
        return wiring.inference(self.scope, user, ASK).answer(None).text

    def sweep(self) -> int:
        return sweep(wiring.reservations(), wiring.budgets_of, self.clock)


@pytest.fixture
def provider(platform: Settings, monkeypatch: pytest.MonkeyPatch) -> ScriptedProvider:
    bedrock = ScriptedProvider()
    both = {"bedrock": bedrock, "openai_compatible": ScriptedProvider(available=False)}
    monkeypatch.setattr(wiring, "providers", lambda settings: both)
    return bedrock


@pytest.mark.hazard("H22")
@pytest.mark.bite("tidegate_kit.budget_store._fits", returns=None)
def test_fifty_parallel_calls_never_pass_the_budget(provider: ScriptedProvider) -> None:
    """H22: 50 inferences at once under a budget for seven worst cases and a user's budget for
    three: not one billionth over, at any time, and the ledger's sum is the counter."""
    worst = worst_case()
    tenant, users = Tenant(), [f"user-{number}" for number in range(5)]
    tenant.limit(7 * worst, 3 * worst)
    seen: list[int] = []

    def busy(question: object) -> Reply:
        used, reserved = tenant.spend()
        seen.append(used + reserved)
        return Reply("done", Usage(33, 100))  # costs nearly what was reserved

    provider.script = [busy]
    outcome = race(50, lambda worker, rnd: tenant.infer(users[worker % 5]), rounds=2)
    strays = [error for rnd in outcome.rounds for error in rnd.errors]
    assert all(isinstance(error, BudgetExceeded) for error in strays), strays
    used, reserved = tenant.spend()
    assert max(seen) <= 7 * worst
    assert 0 < used <= 7 * worst
    assert reserved == 0
    assert tenant.ledger() == (used, 0)
    for user in users:
        assert tenant.spend(user)[0] <= 3 * worst
    assert sum(tenant.spend(user)[0] for user in users) == used


@pytest.mark.hazard("H22")
@pytest.mark.bite("tidegate_kit.budget_store._fits", returns=None)
def test_a_hundred_reserves_for_the_last_unit_have_one_winner(provider: ScriptedProvider) -> None:
    """H22: one unit is left and 100 want it: one gets it."""
    tenants = [Tenant() for _ in range(3)]
    for tenant in tenants:
        tenant.limit(10)
        tenant.budgets.reserve(9)
    outcome = race(100, lambda worker, rnd: tenants[rnd].budgets.reserve(1), rounds=3)
    outcome.assert_one_winner(loses_with=BudgetExceeded)
    assert [tenant.spend() for tenant in tenants] == [(0, 10)] * 3


@pytest.mark.hazard("H22")
@pytest.mark.bite("tidegate_kit.budgets.ended", returns=False)
def test_a_crash_between_reserve_and_settle_is_released_in_time(
    provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """H22: the worker dies while the model thinks; within 15 minutes the reservation is free."""
    tenant, worst = Tenant(), worst_case()
    tenant.limit(worst)

    def dies(question: object) -> Reply:
        raise Killed

    provider.script = [dies]
    with pytest.raises(Killed):
        tenant.infer("ada")
    assert tenant.spend() == (0, worst)
    with pytest.raises(BudgetExceeded):
        tenant.infer("ada")
    # The schedule comes every 5 minutes: the last run within 15 minutes is at 10 at the latest.
    monkeypatch.setattr(tasks, "system_clock", lambda: tenant.clock() + timedelta(minutes=10))
    monkeypatch.setattr(wiring, "start_task", lambda: None)
    assert tasks.release_reservations({}, None) == {"released": 1}
    assert tenant.spend() == tenant.ledger() == (0, 0)
    provider.script = [Reply("again", Usage(1, 1))]
    assert tenant.infer("ada") == "again"


@pytest.mark.hazard("H22")
@pytest.mark.bite("tidegate_kit.budgets.ended", returns=True)
def test_a_reservation_in_use_is_never_swept(provider: ScriptedProvider) -> None:
    """H22: no function that reserves may live as long as its reservation, and until then the
    sweep leaves it alone, also where the index shows it (it lags, or the clock differs)."""
    timeouts = {
        name: resource["Properties"].get("Timeout", 30)
        for name, resource in load_template(ROOT / "template.yaml")["Resources"].items()
        if resource["Type"] == "AWS::Serverless::Function" and "AiPolicy" in str(resource)
    }
    assert {"AiFunction", "WorkflowStepFunction"} <= timeouts.keys()
    for name, seconds in timeouts.items():
        assert timedelta(seconds=int(seconds)) < LIFETIME, name
    tenant = Tenant()
    made = tenant.budgets.reserve(5)
    everything = wiring.reservations()
    later = FixedClock(made.expires_at + timedelta(seconds=1))

    class Early:
        """An index that shows it too early."""

        def expired(self, now: datetime, limit: int) -> object:
            return everything.expired(later(), limit)

    assert sweep(Early(), wiring.budgets_of, tenant.clock) == 0  # type: ignore[arg-type]
    assert tenant.spend() == (0, 5)


ODD: dict[str, tuple[Callable[[Budgets, Reservation], object], tuple[int, int]]] = {
    "settled twice": (lambda b, r: (b.settle(r, 3), b.settle(r, 4)), (3, 0)),
    "settled above the reserve": (lambda b, r: b.settle(r, 11), (5, 0)),
    "released after it was settled": (lambda b, r: (b.settle(r, 3), b.release(r)), (3, 0)),
    "released twice": (lambda b, r: (b.release(r), b.release(r)), (0, 0)),
    "settled after it was released": (lambda b, r: (b.release(r), b.settle(r, 3)), (3, 0)),
    "settled at nothing": (lambda b, r: b.settle(r, 0), (0, 0)),
}


@pytest.mark.hazard("H22")
@pytest.mark.parametrize("name", ODD)
def test_odd_ends_leave_the_ledger_and_the_counter_equal(
    provider: ScriptedProvider, name: str
) -> None:
    """H22: however a reservation ends, the counters are the sum of the ledger."""
    act, expected = ODD[name]
    tenant = Tenant()
    tenant.limit(5, 5)
    act(tenant.budgets, tenant.budgets.reserve(5, "ada"))
    assert tenant.spend() == tenant.spend("ada") == tenant.ledger() == expected


@pytest.mark.hazard("H22")
def test_a_month_ends_while_a_call_is_on_its_way(provider: ScriptedProvider) -> None:
    """H22: the cost belongs to the month it was reserved in; the new month is whole."""
    tenant = Tenant(clock=FixedClock(datetime(2026, 3, 31, 23, 59, 59, tzinfo=UTC)))
    tenant.limit(5)
    made = tenant.budgets.reserve(5)
    tenant.clock.advance(seconds=2)
    tenant.budgets.reserve(5)
    tenant.budgets.settle(made, 4)
    assert tenant.spend() == (0, 5)
    assert wiring.budgets_of(tenant.id).spend("2026-03").used == 4


@pytest.mark.hazard("H22")
@pytest.mark.parametrize("amount", ["NaN", "-0.01", "Infinity", "-Infinity", "sNaN"])
def test_amounts_that_are_no_money_are_refused(amount: str) -> None:
    """H22: NaN, infinity and negatives never reach a counter."""
    with pytest.raises(ValueError, match="amount"):
        to_nano(Decimal(amount))
