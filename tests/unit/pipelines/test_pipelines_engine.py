"""The engine and the stages of the five pipelines, on twins."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from tidegate.pipelines.domain import CostLine
from tidegate.pipelines.errors import (
    ExecutionFinished,
    ExecutionGone,
    NotReadable,
    PipelineRunning,
    ProviderThrottled,
    ProviderUnavailable,
)
from tidegate.pipelines.executions import MAY_LAST, STAGES, Execution
from tidegate.pipelines.service import engine
from tidegate.pipelines.stages import WORKS
from tidegate.pipelines.stages.cost_explorer import PRICE
from tidegate_kit.budgets import period_of
from tidegate_kit.errors import NotFound, PolicyDenied, Unprocessable
from tidegate_kit.ids import new_id

from tests.builders.pipelines import ONE, START, TWO, World, memory_world


@pytest.fixture
def world() -> World:
    return memory_world()


def problems(execution: Execution) -> list[str]:
    return [one.code for stage in execution.stages for one in stage.all_problems]


def spent(world: World) -> tuple[int, int]:
    spend = world.budget_store.spend(period_of(world.clock()))
    return spend.used, spend.reserved


def test_every_stage_of_every_pipeline_is_known() -> None:
    assert {name for stages in STAGES.values() for name in stages} == WORKS.keys()


def test_an_inventory_scan_discovers_every_account_and_starts_a_refresh(world: World) -> None:
    done = world.run("inventory-scan")
    assert (done.status, [stage.items for stage in done.stages]) == ("completed", [14, 1])
    assert {number: len(runs) for number, runs in world.discoveries.items()} == {ONE: 1, TWO: 1}
    refresh = world.executions.pipeline("findings-refresh").running_id
    assert refresh is not None
    stored = world.executions.get(refresh)
    assert stored is not None
    assert stored.trigger == "event"
    assert world.launched == [done.id, refresh]


def test_a_refresh_that_policies_deny_is_a_gap_of_the_scan(world: World) -> None:
    """GOV-1: what a pipeline starts is asked about as what a caller starts."""
    world.forbidden = {"findings-refresh"}
    done = world.run("inventory-scan")
    assert (done.status, problems(done)) == ("completed_with_gaps", ["POLICY_DENIED"])
    assert world.executions.pipeline("findings-refresh").running_id is None
    with pytest.raises(PolicyDenied):
        world.runs.start("findings-refresh", new_id(), "schedule")


def test_a_denied_account_is_a_gap_and_no_more(world: World) -> None:
    world.ends = {ONE: "completed_with_gaps", TWO: "failed"}
    done = world.run("inventory-scan")
    assert (done.status, problems(done)) == (
        "completed_with_gaps",
        ["DISCOVERY_GAPS", "DISCOVERY_FAILED"],
    )
    assert done.stages[1].status == "completed", "the rest goes on"


def test_somebody_elses_discovery_is_waited_for(world: World) -> None:
    world.busy = {ONE}
    begun = world.runs.start("inventory-scan", new_id(), "api")
    assert engine.run(world.parts(), WORKS, begun.id) == "wait"
    assert engine.run(world.parts(), WORKS, begun.id) == "wait"
    world.busy.clear()
    world.discoveries[ONE] = ["somebody-elses"]
    assert world.drive(begun.id).status == "completed"


def test_costs_are_read_with_every_call_paid_from_the_budget(world: World) -> None:
    world.pages = 3
    done = world.run("cost-ingest")
    assert (done.status, done.stages[0].items) == ("completed", 180), "90 days of two accounts"
    assert spent(world) == (6 * PRICE, 0)
    (day,) = world.costs.days(ONE, date(2026, 3, 9), date(2026, 3, 9))
    assert day.lines == {
        CostLine(f"service-{place}", "usage"): Decimal("1.50") for place in range(3)
    }
    world.clock.advance(days=1)
    again = world.run("cost-ingest")
    assert again.stages[0].items == 70, "35 days of two accounts, once there is a series"


def test_a_run_again_replaces_the_days(world: World) -> None:
    world.run("cost-ingest")
    world.daily = "2.00"
    world.run("cost-ingest", {"start": "2026-03-08", "end": "2026-03-09"})
    points = [world.costs.totals(ONE, date(2026, 3, 7), date(2026, 3, 9))]
    assert [total for _, _, total in points[0]] == [Decimal("1.50"), Decimal(2), Decimal(2)]


def test_a_spent_budget_ends_the_account_and_the_rest_goes_on(world: World) -> None:
    """PIP-2."""
    world.budget_store.set_limits(PRICE, None, START)
    world.uploaded = {"march.csv": ("tag", focus_file(ONE))}
    done = world.run("cost-ingest")
    assert done.status == "completed_with_gaps"
    assert [one.code for one in done.stages[0].all_problems] == ["BUDGET_EXCEEDED"]
    assert (done.stages[0].items, done.stages[1].items, len(world.asked)) == (90, 1, 1)
    assert spent(world) == (PRICE, 0)


@pytest.mark.parametrize(
    ("error", "code", "paid", "tries"),
    [
        (NotReadable("no data"), "NOT_READABLE", 1, 1),
        (ProviderThrottled("Throttling"), "THROTTLED", 0, 4),
        (ProviderUnavailable("500"), "PROVIDER_UNAVAILABLE", 4, 4),
    ],
)
def test_one_failing_account_is_tried_again_and_then_left(
    world: World, error: Exception, code: str, paid: int, tries: int
) -> None:
    world.failing = {ONE: error}
    done = world.run("cost-ingest")
    assert (done.status, problems(done)) == ("completed_with_gaps", [code])
    assert [number for number, _ in world.asked].count(ONE) == tries
    assert spent(world) == ((paid + 1) * PRICE, 0)
    assert world.costs.accounts() == [TWO]


def test_a_denied_call_is_not_paid(world: World) -> None:
    world.denied = {ONE: "ce:GetCostAndUsage", TWO: "sts:AssumeRole"}
    done = world.run("cost-ingest")
    assert (done.status, problems(done)) == ("completed_with_gaps", ["ACCESS_DENIED"] * 2)
    assert "ce:GetCostAndUsage" in done.stages[0].all_problems[0].message
    assert spent(world) == (0, 0)


def focus_file(account: str, cost: str = "2.5", day: str = "2026-03-01T00:00:00Z") -> str:
    header = "ChargePeriodStart,SubAccountId,ServiceName,BilledCost,BillingCurrency,x_UsageType\n"
    return header + f"{day},{account},AmazonEC2,{cost},USD,BoxUsage\n"


def test_uploaded_files_are_read_once_for_their_content(world: World) -> None:
    world.denied = dict.fromkeys((ONE, TWO), "ce:GetCostAndUsage")
    world.uploaded = {"a.csv": ("1", focus_file(ONE)), "b.csv": ("1", focus_file(TWO, "4"))}
    first = world.run("cost-ingest")
    assert first.stages[1].items == 2
    assert world.run("cost-ingest").stages[1].items == 0
    world.uploaded["b.csv"] = ("2", focus_file(TWO, "5"))
    assert world.run("cost-ingest").stages[1].items == 1
    ((_, source, total),) = world.costs.totals(TWO, date(2026, 3, 1), date(2026, 3, 1))
    assert (source, total) == ("focus", Decimal(5))
    asked = world.run("cost-ingest", {"focus_file": "a.csv"})
    assert [stage.items for stage in asked.stages] == [0, 1], "read again, and Cost Explorer not"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (focus_file(ONE, "many"), "row 2, column BilledCost"),
        (focus_file("123"), "row 2, column SubAccountId"),
        (focus_file(ONE, day="yesterday"), "row 2, column ChargePeriodStart"),
        ("ServiceName\n", "row 1, column ChargePeriodStart"),
        ("", "row 1"),
    ],
)
def test_a_malformed_file_writes_nothing_and_says_where(world: World, text: str, told: str) -> None:
    good = focus_file(TWO).splitlines()[1]
    world.uploaded = {"bad.csv": ("1", f"{text}{good}\n" if "\n" in text else text)}
    done = world.run("cost-ingest", {"focus_file": "bad.csv"})
    (problem,) = done.stages[1].all_problems
    assert (done.status, problem.code) == ("completed_with_gaps", "FOCUS_INVALID")
    assert told in problem.message
    assert "many" not in problem.message
    assert world.costs.accounts() == []


def test_rows_of_foreign_accounts_are_left_out_and_told(world: World) -> None:
    world.uploaded = {"a.csv": ("1", focus_file("999999999999"))}
    done = world.run("cost-ingest", {"focus_file": "a.csv"})
    assert problems(done) == ["ACCOUNT_NOT_CONNECTED"]
    assert world.costs.accounts() == []
    missing = world.run("cost-ingest", {"focus_file": "no-such.csv"})
    assert problems(missing) == ["FILE_NOT_FOUND"]


def test_an_account_that_is_disconnected_meanwhile_leaves_nothing(world: World) -> None:
    begun = world.runs.start("cost-ingest", new_id(), "api")
    world.parts(has_time=lambda: False)
    engine.run(world.parts(has_time=lambda: False), WORKS, begun.id)
    world.connected_accounts = world.connected_accounts[1:]
    done = world.drive(begun.id)
    assert problems(done) == ["ACCOUNT_NOT_CONNECTED"]
    assert world.costs.accounts() == [TWO]


def test_the_others_call_their_domain_once(world: World) -> None:
    refreshed = world.run("findings-refresh")
    assert (refreshed.status, len(world.refreshes)) == ("completed", 1)
    trained = world.run("model-retrain")
    assert (trained.status, trained.stages[0].items) == ("completed", 2)
    measured = world.run("savings-ledger")
    assert (measured.stages[0].items, world.measured) == (3, [date(2026, 3, 9)])
    world.run("savings-ledger", {"day": "2026-03-01"})
    assert world.measured[-1] == date(2026, 3, 1)


def test_one_execution_of_a_pipeline_at_a_time(world: World) -> None:
    """PIP-1."""
    begun = world.runs.start("model-retrain", new_id(), "api")
    with pytest.raises(PipelineRunning):
        world.runs.start("model-retrain", new_id(), "api")
    assert world.runs.start("model-retrain", begun.id, "api").id == begun.id
    assert world.launched == [begun.id]
    world.runs.start("savings-ledger", new_id(), "api")
    world.drive(begun.id)
    world.runs.start("model-retrain", new_id(), "api")


def test_a_dead_execution_holds_its_pipeline_until_its_deadline(world: World) -> None:
    dead = world.runs.start("model-retrain", new_id(), "api")
    world.clock.now = START + MAY_LAST
    newer = world.runs.start("model-retrain", new_id(), "api")
    assert world.drive(dead.id).status == "failed"
    assert world.executions.pipeline("model-retrain").running_id == newer.id
    assert world.drive(newer.id).status == "completed"


def test_a_cancelled_execution_does_no_more(world: World) -> None:
    begun = world.runs.start("cost-ingest", new_id(), "api")
    cancelled = world.runs.cancel(begun.id)
    assert (cancelled.status, world.stopped) == ("cancelled", [begun.id])
    assert [stage.status for stage in cancelled.stages] == ["cancelled"] * 2
    assert world.drive(begun.id).status == "cancelled"
    assert world.asked == []
    with pytest.raises(ExecutionFinished):
        world.runs.cancel(begun.id)
    with pytest.raises(NotFound):
        world.runs.cancel(new_id())
    world.runs.start("cost-ingest", new_id(), "api")


def test_what_the_machine_gives_up_is_told(world: World) -> None:
    begun = world.runs.start("model-retrain", new_id(), "api")
    engine.fail(world.parts(), begun.id, "ServiceUnavailable")
    failed = world.executions.get(begun.id)
    assert failed is not None
    assert (failed.status, problems(failed)) == ("failed", ["SERVICE_UNAVAILABLE"])
    engine.fail(world.parts(), begun.id, "AnyError")
    assert world.executions.get(begun.id) == failed
    with pytest.raises(ExecutionGone):
        engine.fail(world.parts(), new_id(), "AnyError")


@pytest.mark.parametrize(
    ("name", "given", "field"),
    [
        ("cost-ingest", {"start": "2026-3-1"}, "start"),
        ("cost-ingest", {"start": "2026-03-09", "end": "2026-03-01"}, "start"),
        ("cost-ingest", {"start": "2024-03-09"}, "start"),
        ("cost-ingest", {"end": "2027-01-01"}, "end"),
        ("cost-ingest", {"focus_file": "../x.csv"}, "focus_file"),
        ("cost-ingest", {"focus_file": 5}, "focus_file"),
        ("inventory-scan", {"account_ids": []}, "account_ids"),
        ("inventory-scan", {"account_ids": ["1"]}, "account_ids"),
        ("model-retrain", {"x": 1}, "x"),
        ("savings-ledger", {"day": None}, "day"),
    ],
)
def test_malformed_parameters_start_nothing(
    world: World, name: str, given: dict[str, object], field: str
) -> None:
    with pytest.raises(Unprocessable) as refused:
        world.runs.start(name, new_id(), "api", given)  # type: ignore[arg-type]
    assert [one.field for one in refused.value.details] == [f"parameters.{field}"]
    assert world.launched == []


def test_a_run_may_be_limited_to_accounts(world: World) -> None:
    world.run("cost-ingest", {"account_ids": [TWO]})
    assert {number for number, _ in world.asked} == {TWO}
    world.run("inventory-scan", {"account_ids": [ONE]})
    assert world.discoveries.keys() == {ONE}


def test_steps_stop_when_the_time_is_up_and_go_on_where_they_were(world: World) -> None:
    begun = world.runs.start("cost-ingest", new_id(), "api")
    outcomes = []
    for _ in range(30):
        outcomes.append(engine.run(world.parts(has_time=lambda: False), WORKS, begun.id))
        if outcomes[-1] == "done":
            break
        world.clock.advance(seconds=1)
    assert set(outcomes[:-1]) == {"again"}
    assert len(world.asked) == 2, "nothing was read twice"
    assert START + timedelta(seconds=len(outcomes) - 1) == world.clock()
