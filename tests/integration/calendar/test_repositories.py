"""One contract for the repositories on DynamoDB and their in-memory twins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tidegate.calendar.domain import Attendee, Connection, Copy, Event, PendingOAuth, Push, Task
from tidegate.calendar.models import EventItem, PushItem, StateItem
from tidegate.calendar.repository.connections import Connections, DynamoConnections
from tidegate.calendar.repository.events import DynamoEvents, Events, Write
from tidegate.calendar.repository.tasks import DynamoTasks, Tasks
from tidegate_kit.dynamo import ConditionFailed
from tidegate_kit.settings import Settings
from tidegate_kit.tenancy import UserScope

from tests.builders.calendar import SCOPE, START, content
from tests.fakes.calendar import MemoryConnections, MemoryEvents, MemoryTasks

Make = Callable[[str], Any]
ID = "6f1c1d8e-3a52-4a7e-9a6e-0f7f5b0c9d11"
OTHER = UserScope(SCOPE.tenant_id, "aaaaaaaa-e29b-41d4-a716-446655440000")
FULL = Event(
    ID,
    content(
        description="text", location="place", attendees=(Attendee("a@b", "A"), Attendee("c@d")),
        recurrence="FREQ=DAILY", status="tentative", exdates=("2026-03-03T08:00:00Z",),
        rdates=("2026-03-08",), time_zone="Europe/Berlin", floating=True,
        start=START + timedelta(microseconds=7),
    ),
    START, START, uid="u@x", recurrence_id="20260302T080000Z", source="ical", external_id="u@x",
    extras="X-A:1\nX-B:2", copy=Copy("acc", "gid", '"1"', ({"email": "a@b"},), "seen", True),
)  # fmt: skip


@pytest.fixture(params=["memory", "dynamo"])
def make(request: pytest.FixtureRequest) -> Make:
    """A maker of repositories by name."""
    kinds: dict[str, Any] = {
        "events": MemoryEvents(), "tasks": MemoryTasks(), "connections": MemoryConnections(),
    }  # fmt: skip
    if request.param == "dynamo":
        request.getfixturevalue("platform")
        kinds = {
            "events": DynamoEvents(SCOPE), "tasks": DynamoTasks(SCOPE),
            "connections": DynamoConnections(SCOPE),
        }  # fmt: skip
    return kinds.__getitem__


@pytest.fixture
def events(make: Make) -> Events:
    found: Events = make("events")
    return found


@pytest.fixture
def tasks(make: Make) -> Tasks:
    found: Tasks = make("tasks")
    return found


@pytest.fixture
def connections(make: Make) -> Connections:
    found: Connections = make("connections")
    return found


def push(change: str = "c1", **changes: Any) -> Push:
    return replace(Push(ID, "upsert", change, START), **changes)


def test_an_event_comes_back_as_it_was(events: Events) -> None:
    assert events.get(ID) is None
    bare = Event(ID.replace("6", "7", 1), content(), START, START)
    events.commit([Write(put=FULL), Write(put=bare)])
    assert events.get(ID) == FULL
    assert sorted(events.all(), key=lambda one: one.id) == [FULL, bare]


def test_versions_decide_who_writes(events: Events) -> None:
    events.commit([Write(put=FULL)])
    with pytest.raises(ConditionFailed):
        events.commit([Write(put=FULL)])
    newer = replace(FULL, version=2, updated_at=START + timedelta(hours=1))
    events.commit([Write(put=newer)])
    with pytest.raises(ConditionFailed):
        events.commit([Write(put=replace(FULL, version=2))])
    with pytest.raises(ConditionFailed):
        events.commit([Write(remove=FULL)])
    events.commit([Write(remove=newer)])
    with pytest.raises(ConditionFailed):
        events.commit([Write(remove=newer)])
    assert events.all() == []


def test_all_or_nothing(events: Events) -> None:
    second = replace(FULL, id=ID.replace("6", "8", 1))
    events.commit([Write(put=FULL)])
    with pytest.raises(ConditionFailed):
        events.commit([Write(put=second, push=push()), Write(put=FULL)])
    assert events.find([second.id, ID]) == {second.id: (None, None), ID: (FULL, None)}


def test_notes_are_cleared_only_as_the_same_change(events: Events) -> None:
    first, second = push("c1"), push("c2", kind="delete", copy=FULL.copy, child=True)
    events.commit([Write(put=FULL, push=first)])
    assert events.find([ID]) == {ID: (FULL, first)}
    events.commit([Write(push=second)])
    with pytest.raises(ConditionFailed):
        events.commit([Write(clear=first)])
    with pytest.raises(ConditionFailed):
        events.commit([Write(push=push("c3"), clear=first)])
    assert events.pushes() == [second]
    parked = replace(second, parked="400 invalid")
    events.commit([Write(push=parked, clear=second)])
    assert events.pushes() == [parked]
    events.commit([Write(clear=parked)])
    assert events.pushes() == []


def test_notes_come_series_first_then_oldest(events: Events) -> None:
    rows = [
        push(event_id=f"0000000{n}-3a52-4a7e-9a6e-0f7f5b0c9d11", child=child,
             at=START + timedelta(minutes=minutes))
        for n, (child, minutes) in enumerate([(True, 0), (False, 5), (False, 1)])
    ]  # fmt: skip
    events.commit([Write(push=row) for row in rows])
    assert events.pushes() == [rows[2], rows[1], rows[0]]


def test_links(events: Events) -> None:
    long = "x" * 1024
    events.commit([Write(put=FULL, link=(long, "u@x"))])
    assert events.linked([long, "none"]) == {long: "u@x"}


def test_many_are_found_at_once(events: Events) -> None:
    ids = [f"{n:08x}-3a52-4a7e-9a6e-0f7f5b0c9d11" for n in range(120)]
    for start in range(0, 120, 25):
        events.commit([Write(put=replace(FULL, id=one)) for one in ids[start : start + 25]])
    assert all(found[0] is not None for found in events.find(ids).values())
    assert len(events.find(ids)) == 120


def test_tasks(tasks: Tasks) -> None:
    task = Task(ID, "title", START, START, "text", START, "Asia/Tokyo", "high", "done", START)
    tasks.put(task)
    tasks.put(task)  # the same write again, as an SDK repeats it
    assert tasks.get(ID) == task
    assert tasks.all() == [task]
    with pytest.raises(ConditionFailed):
        tasks.put(replace(task, title="other"))
    newer = replace(task, title="newer", version=2, due=None, completed_at=None, status="open")
    tasks.put(newer)
    assert tasks.get(ID) == newer
    with pytest.raises(ConditionFailed):
        tasks.remove(task)
    tasks.remove(newer)
    assert tasks.get(ID) is None


def test_connections(connections: Connections) -> None:
    one = Connection(
        "sealed-a", "sealed-r", ("openid",), START, "acc", START, START, True, "why", "st", "pt",
        "full", "lease", START,
    )  # fmt: skip
    assert connections.get() is None
    connections.put(one)
    assert connections.get() == one
    with pytest.raises(ConditionFailed):
        connections.put(replace(one, account="other"))
    newer = replace(one, refresh_token=None, sync_token=None, lease=None, version=2)
    connections.put(newer)
    assert connections.get() == newer
    with pytest.raises(ConditionFailed):
        connections.remove(one)
    connections.remove(newer)
    assert connections.get() is None


def test_a_started_authorisation_is_taken_once(connections: Connections) -> None:
    pending = PendingOAuth("session", "https://x/y", "sealed", "nonce", "provider", START)
    connections.start("state", pending)
    assert connections.take("other") is None
    assert connections.take("state") == pending
    assert connections.take("state") is None


def test_nothing_of_another_user_is_reached(platform: Settings) -> None:
    DynamoEvents(SCOPE).commit([Write(put=FULL, push=push(), link=("g", "u"))])
    DynamoConnections(SCOPE).start("state", PendingOAuth("s", "r", "v", "n", "p", START))
    other = DynamoEvents(OTHER)
    assert (other.all(), other.pushes(), other.linked(["g"])) == ([], [], {})
    assert other.find([ID]) == {ID: (None, None)}
    assert DynamoConnections(OTHER).take("state") is None
    for model in (EventItem, PushItem, StateItem):
        assert all(item.pk == SCOPE.pk for item in model.scan())


@pytest.mark.hazard("H27")
def test_items_of_other_versions_of_the_code_are_read(platform: Settings) -> None:
    """H27: items with missing, unknown and foreign attributes are read with defaults."""
    import boto3

    from tests.builders.settings import PREFIX, REGION

    table = boto3.resource("dynamodb", region_name=REGION).Table(f"{PREFIX}-calendar")
    keys = {"pk": SCOPE.pk, "created_at": "2025-01-01T00:00:00.000000+0000",
            "updated_at": "2025-01-01T00:00:00.000000+0000"}  # fmt: skip
    table.put_item(Item={
        **keys, "sk": f"EVENT#{ID}", "id": ID, "title": "old", "start": "2025-01-01T09:00:00Z",
        "end": "2025-01-01T10:00:00",
    })  # fmt: skip
    table.put_item(Item={
        **keys, "sk": "EVENT#new", "id": "new", "title": "new", "start": "2025-01-01",
        "end": "2025-01-02", "all_day": True, "status": "postponed", "source": "outlook",
        "schema_version": 9, "surprise": {"a": [1]}, "time_zone": "Mars/Olympus",
        "google": "{}", "attendees": "[]",
    })  # fmt: skip
    table.put_item(Item={**keys, "sk": f"TASK#{ID}", "id": ID, "title": "old", "priority": "?"})
    by_title = {one.content.title: one for one in DynamoEvents(SCOPE).all()}
    assert by_title["old"].content == content(
        title="old", start=START.replace(2025, 1, 1, 9), end=START.replace(2025, 1, 1, 10)
    )
    assert (by_title["old"].version, by_title["old"].source) == (1, "local")
    assert by_title["new"].content.status == "confirmed"
    task = DynamoTasks(SCOPE).get(ID)
    assert task is not None
    assert (task.priority, task.status, task.version) == ("medium", "open", 1)
    # And they can be changed.
    old = by_title["old"]
    DynamoEvents(SCOPE).commit([Write(put=replace(old, version=2))])
    DynamoTasks(SCOPE).put(replace(task, title="newer", version=2))
