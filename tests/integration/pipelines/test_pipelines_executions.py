"""Stored pipelines and executions: DynamoDB and its twin under one contract; events."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from tidegate.events.domain import Change
from tidegate.events.mappings import MAPPINGS
from tidegate.pipelines.errors import PipelineRunning, Superseded
from tidegate.pipelines.executions import (
    MAY_LAST,
    Due,
    Execution,
    Problem,
    Schedule,
    Unit,
    new_execution,
)
from tidegate.pipelines.repository import DynamoExecutions, Executions
from tidegate_kit.ids import new_id
from tidegate_kit.tenancy import TenantScope

from tests.fakes.pipelines import MemoryExecutions

NOW = datetime(2026, 3, 10, 4, 0, tzinfo=UTC)
TENANT = "0f8fad5b-d9cb-469f-a165-70867728950e"


@pytest.fixture(params=["memory", "dynamo"])
def store(request: pytest.FixtureRequest) -> Iterator[Executions]:
    if request.param == "memory":
        yield MemoryExecutions(TENANT)
    else:
        request.getfixturevalue("platform")
        yield DynamoExecutions(TenantScope(TENANT))


def wanted(at: datetime = NOW) -> Execution:
    return new_execution(new_id(), TENANT, "cost-ingest", "api", {"start": "2026-03-01"}, at)


def test_an_execution_is_stored_whole(store: Executions) -> None:
    begun = store.begin(wanted(), NOW)
    assert store.get(begun.id) == begun
    unit = Unit("a", items=3, state={"n": 1}, problems=(Problem("CODE", "text"),))
    stage = replace(begun.stages[0], status="running", started_at=NOW, units=(unit,))
    saved = store.save(begun.with_stage(stage), NOW)
    assert saved.revision == 1
    assert store.get(begun.id) == saved
    with pytest.raises(Superseded):
        store.save(begun, NOW)
    ended = store.finish(saved.ended(NOW), NOW)
    assert store.get(begun.id) == ended
    for late in (store.save, store.finish):
        with pytest.raises(Superseded):
            late(ended, NOW)
    assert store.get(new_id()) is None


def test_one_execution_holds_its_pipeline(store: Executions) -> None:
    first = store.begin(wanted(), NOW)
    assert store.begin(first, NOW) == first
    with pytest.raises(PipelineRunning):
        store.begin(wanted(), NOW + MAY_LAST - timedelta(seconds=1))
    held = store.pipeline("cost-ingest")
    assert (held.running_id, held.last_id, held.running_until) == (
        first.id,
        first.id,
        first.deadline_at,
    )
    second = store.begin(wanted(NOW + MAY_LAST), NOW + MAY_LAST)
    store.finish(first.stopped("failed", None, NOW), NOW)
    assert store.pipeline("cost-ingest").running_id == second.id, "the newer one keeps it"
    store.finish(second.ended(NOW), NOW)
    assert store.pipeline("cost-ingest").running_id is None
    assert store.pipeline("model-retrain").last_id is None


def test_a_launch_is_noted_while_it_runs(store: Executions) -> None:
    begun = store.begin(wanted(), NOW)
    store.mark_launched(begun.id)
    found = store.get(begun.id)
    assert found is not None
    assert found.launched
    store.finish(found.ended(NOW), NOW)
    store.mark_launched(begun.id)


def test_lists_are_newest_first(store: Executions) -> None:
    made = []
    for day in range(5):
        begun = store.begin(wanted(NOW + timedelta(days=day)), NOW + timedelta(days=day))
        store.finish(begun.ended(NOW), NOW)
        made.insert(0, begun.id)
    page, total, key = store.page("cost-ingest", 0, 2, None)
    assert ([one.id for one in page], total) == (made[:2], 5)
    page, _, key = store.page("cost-ingest", 0, 2, key)
    assert [one.id for one in page] == made[2:4]
    page, _, key = store.page("cost-ingest", 0, 2, key)
    assert ([one.id for one in page], key) == (made[4:], None)
    assert store.page("cost-ingest", 4, 10, None)[0][0].id == made[4]
    assert store.page("cost-ingest", 99, 10, None) == ([], 5, None)


def test_schedules(store: Executions) -> None:
    default = store.pipeline("cost-ingest")
    assert (default.stored, default.schedule.enabled, default.schedule.next_at) == (
        False,
        True,
        None,
    )
    at, later = NOW + timedelta(hours=1), NOW + timedelta(days=1)
    store.set_schedule("cost-ingest", Schedule("rate(1 hour)", True, at), NOW)
    store.set_schedule("cost-ingest", Schedule("rate(2 days)", True, at), NOW, only_new=True)
    found = store.pipeline("cost-ingest")
    assert (found.stored, found.schedule) == (True, Schedule("rate(1 hour)", True, at))
    assert store.passed(Due(TENANT, "cost-ingest", at), later, NOW)
    assert not store.passed(Due(TENANT, "cost-ingest", at), NOW, NOW), "someone else did"
    assert store.pipeline("cost-ingest").schedule.next_at == later
    store.set_schedule("cost-ingest", Schedule("rate(1 hour)", False, None), NOW)
    assert store.pipeline("cost-ingest").schedule == Schedule("rate(1 hour)", False, None)


def test_files_are_known_by_their_tag(store: Executions) -> None:
    assert store.file_tag("a.csv") is None
    store.mark_file("a.csv", "1", NOW)
    store.mark_file("a.csv", "2", NOW)
    assert (store.file_tag("a.csv"), store.file_tag("b.csv")) == ("2", None)


def change(table: str, sk: str, old: dict[str, object] | None, new: dict[str, object]) -> Change:
    return Change(table, "1", f"T#{TENANT}", sk, old, new, NOW)


@pytest.mark.parametrize(
    ("status", "event"),
    [
        ("completed", "pipeline.completed"),
        ("completed_with_gaps", "pipeline.completed"),
        ("failed", "pipeline.failed"),
        ("cancelled", None),
    ],
)
def test_the_end_of_an_execution_is_an_event(status: str, event: str | None) -> None:
    item = {"id": "x", "pipeline": "cost-ingest", "status": "running", "trigger": "api"}
    new = {**item, "status": status}
    drafts = list(MAPPINGS["pipelines"](change("pipelines", "EXEC#x", item, new)))
    assert [draft.type for draft in drafts] == ([] if event is None else [event])
    if event is not None:
        assert drafts[0].data["status"] == status
    assert list(MAPPINGS["pipelines"](change("pipelines", "EXEC#x", new, new))) == []


@pytest.mark.parametrize(("table", "budget"), [("pipelines", "aws_api"), ("ai", "ai")])
def test_a_budget_that_was_met_is_an_event(table: str, budget: str) -> None:
    found = change(table, "EXCEEDED#2026-03#2", None, {"monthly": 5})
    (draft,) = MAPPINGS[table](found)
    assert (draft.type, draft.data) == ("budget.exceeded", {"budget": budget, "period": "2026-03"})
    assert list(MAPPINGS[table](change(table, "SPEND#2026-03", None, {}))) == []
