"""From stream records to events: mapping, ids, partial failures (EVT-4, EVT-5)."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from tidegate.events.domain import EVENT_TYPES, Change, Draft, Event
from tidegate.events.mappings import MAPPINGS
from tidegate.events.publisher import Publisher
from tidegate.events.stream import UnreadableRecord, plain, read_change
from tidegate_kit.ids import is_id

from tests.fakes.recorded import vectors

PREFIX = "tidegate-test"
TENANT = "0f0c1b6e-6a51-4c1e-9c6c-0d3b9a9f1c11"
USER = "7a1d5c52-3d0f-4f53-9c2e-2d9c0a6f7e21"
RUN = "3f6d8a10-1b2c-4d3e-8f4a-5b6c7d8e9f00"
ACCOUNT = "222222222222"


class MemoryBus:
    """A bus that remembers, and refuses what it is told to."""

    def __init__(self, refuse: Sequence[int] = ()) -> None:
        self.events: list[Event] = []
        self.refuse = set(refuse)

    def put(self, events: Sequence[Event]) -> set[int]:
        self.events += [e for n, e in enumerate(events) if n not in self.refuse]
        return self.refuse & set(range(len(events)))

    @property
    def effects(self) -> dict[str, dict[str, Any]]:
        """What idempotent consumers end up with: one entry an id."""
        return {event.detail["id"]: dict(event.detail) for event in self.events}


def typed(value: Any) -> dict[str, Any]:
    match value:
        case bool():
            return {"BOOL": value}
        case str():
            return {"S": value}
        case int():
            return {"N": str(value)}
        case None:
            return {"NULL": True}
        case set() | frozenset():
            return {"SS": sorted(value)}
        case list():
            return {"L": [typed(part) for part in value]}
        case dict():
            return {"M": {name: typed(part) for name, part in value.items()}}
    raise TypeError(type(value))


_numbers = itertools.count(1)


def record(
    table: str,
    new: dict[str, Any] | None,
    old: dict[str, Any] | None = None,
    *,
    prefix: str = PREFIX,
    pk: str = f"T#{TENANT}",
    sk: str = "TENANT",
) -> dict[str, Any]:
    """A stream record as Lambda gives it."""
    number = next(_numbers)
    body: dict[str, Any] = {
        "Keys": {"pk": {"S": pk}, "sk": {"S": sk}},
        "SequenceNumber": f"{number:021d}",
        "ApproximateCreationDateTime": 1767323045.0,
        "StreamViewType": "NEW_AND_OLD_IMAGES",
    }
    for name, image in (("NewImage", new), ("OldImage", old)):
        if image is not None:
            body[name] = {key: typed(value) for key, value in {"pk": pk, "sk": sk, **image}.items()}
    kind = "REMOVE" if new is None else "INSERT" if old is None else "MODIFY"
    arn = f"arn:aws:dynamodb:us-east-1:123456789012:table/{prefix}-{table}/stream/2026"
    return {"eventID": str(number), "eventName": kind, "eventSourceARN": arn, "dynamodb": body}


def tenant_item(**more: Any) -> dict[str, Any]:
    return {
        "id": TENANT, "name": "Example", "is_active": True,
        "updated_at": "2026-01-02T03:04:05.678901+0000", **more,
    }  # fmt: skip


def user_item(**more: Any) -> dict[str, Any]:
    return {
        "id": USER, "tenant_id": TENANT, "email": "ada@example.com", "is_owner": True,
        "password_hash": "$argon2id$canary", "roles": {"user", "client"},
        "updated_at": "2026-01-02T03:04:05.000000+0000", **more,
    }  # fmt: skip


def publish(*records: Any, bus: MemoryBus | None = None) -> tuple[MemoryBus, list[str]]:
    bus = bus or MemoryBus()
    return bus, Publisher(MAPPINGS, bus, PREFIX).publish(records)


def types(bus: MemoryBus) -> list[str]:
    return [event.type for event in bus.events]


def test_a_new_tenant_and_its_user_are_announced() -> None:
    tenant = record("identity", tenant_item())
    user = record("identity", user_item(), sk=f"USER#{USER}")
    bus, failed = publish(tenant, user)
    assert failed == []
    assert types(bus) == ["tenant.created", "user.registered"]
    detail = bus.events[0].detail
    assert set(detail) == {
        "id", "tenant_id", "occurred_at", "request_id", "schema_version", "data",
    }  # fmt: skip
    assert is_id(detail["id"])
    assert detail["tenant_id"] == TENANT
    assert detail["occurred_at"] == "2026-01-02T03:04:05.678Z"
    assert detail["request_id"] is None
    assert detail["data"] == {"id": TENANT, "name": "Example"}
    assert bus.events[1].detail["data"] == {
        "user_id": USER, "roles": ["client", "user"], "is_owner": True,
    }  # fmt: skip
    assert bus.events[1].domain == "identity"


def test_changes_removals_sessions_and_global_items_say_nothing() -> None:
    bus, failed = publish(
        record("identity", tenant_item(name="New"), tenant_item()),
        record("identity", None, tenant_item()),
        record("identity", user_item(), sk=f"USER#{USER}#SESSION#{RUN}"),
        record("identity", {"user_id": USER, "tenant_id": TENANT}, pk=f"USERID#{USER}", sk="KEY"),
    )
    assert (bus.events, failed) == ([], [])


@pytest.mark.parametrize("status", ["completed", "completed_with_gaps"])
def test_a_finished_discovery_is_announced_once(status: str) -> None:
    run = {"id": RUN, "onboarding_id": USER, "account_id": ACCOUNT, "status": "running"}
    done = {**run, "status": status}
    bus, _ = publish(
        record("discovery", run, sk=f"RUN#{RUN}"),
        record("discovery", done, run, sk=f"RUN#{RUN}"),
        record("discovery", {**done, "summary": "{}"}, done, sk=f"RUN#{RUN}"),
        record("discovery", {**run, "status": "failed"}, run, sk=f"RUN#{RUN}"),
    )
    assert types(bus) == ["discovery.completed"]
    assert bus.events[0].detail["data"] == {
        "run_id": RUN, "onboarding_id": USER, "account_id": ACCOUNT, "status": status,
    }  # fmt: skip
    assert bus.events[0].detail["occurred_at"] == "2026-01-02T03:04:05Z"  # the record's own time


def registration(status: str, **more: Any) -> dict[str, Any]:
    return {
        "id": USER, "tenant_id": TENANT, "account_id": ACCOUNT, "method": "role", "tier": "read",
        "status": status, **more,
    }  # fmt: skip


def moves(*statuses: str, **more: Any) -> list[dict[str, Any]]:
    """The stream records of a registration that goes through these statuses."""
    items = [registration(status, **more) for status in statuses]
    return [
        record("onboarding", new, old, sk=f"ACCOUNT#{USER}")
        for old, new in zip([None, *items], items, strict=False)
    ]


def test_an_account_is_announced_at_each_lasting_status() -> None:
    path = ["pending", "verifying", "refused", "verifying", "connected", "connected",
            "access_lost", "connected", "disconnected"]  # fmt: skip
    bus, failed = publish(*moves(*path, refusal_code="TRUST_TOO_BROAD", refusal_fix="secret"))
    assert failed == []
    assert types(bus) == [
        "account.refused", "account.connected", "account.access_lost", "account.connected",
        "account.disconnected",
    ]  # fmt: skip
    common = {
        "onboarding_id": USER, "account_id": ACCOUNT, "connection_method": "role", "tier": "read",
    }  # fmt: skip
    assert bus.events[0].detail["data"] == {**common, "refusal_code": "TRUST_TOO_BROAD"}
    assert bus.events[1].detail["data"] == common
    assert {event.domain for event in bus.events} == {"onboarding"}
    assert len(bus.effects) == 5


def test_claims_slots_and_listings_say_nothing() -> None:
    bus, failed = publish(
        record("onboarding", {"account_id": ACCOUNT, "tenant_id": TENANT}, pk="AWS#1", sk="CLAIM"),
        record("onboarding", {"onboarding_id": USER}, sk=f"SLOT#{ACCOUNT}"),
        record("onboarding", None, registration("disconnected"), sk=f"ACCOUNT#{USER}"),
    )
    assert (bus.events, failed) == ([], [])


def batch() -> list[dict[str, Any]]:
    run = {"id": RUN, "onboarding_id": USER, "account_id": ACCOUNT, "status": "running"}
    return [
        record("identity", tenant_item()),
        record("identity", user_item(), sk=f"USER#{USER}"),
        *moves("verifying", "connected"),
        record("discovery", {**run, "status": "completed"}, run, sk=f"RUN#{RUN}"),
    ]


@pytest.mark.hazard("H2")
@pytest.mark.bite("tidegate.events.domain.event_id", lambda change, kind: f"{random.random()}")
def test_redelivered_and_reordered_records_give_the_same_events() -> None:
    """H2: each record two and three times, in any order: the same set of events by id."""
    records = batch()
    once, _ = publish(*records)
    shuffled = random.Random(2)
    for _ in range(200):
        order = records * shuffled.choice([2, 3])
        shuffled.shuffle(order)
        again, _ = publish(*order)
        assert again.effects == once.effects
    thrice = MemoryBus()
    for _ in range(3):
        publish(*records, bus=thrice)
    assert thrice.effects == once.effects


@pytest.mark.hazard("H8")
@pytest.mark.bite(
    "tidegate.events.publisher.Publisher._guarded",
    lambda publisher, record, sequence: publisher._events_of(record),
)
@pytest.mark.parametrize(
    "poison",
    [
        pytest.param(record("identity", {"name": "no id"}), id="unmappable"),
        pytest.param(record("strangers", tenant_item()), id="unknown-table"),
        pytest.param(record("identity", tenant_item(), prefix="other"), id="foreign-table"),
        pytest.param({"dynamodb": {"SequenceNumber": "7"}}, id="no-keys"),
    ],
)
def test_a_poison_record_fails_alone(poison: dict[str, Any]) -> None:
    """H8: its neighbours are published; it alone is brought again."""
    first, second, third = (batch()[n] for n in (0, 1, 3))
    bus = MemoryBus()
    try:
        _, failed = publish(first, poison, second, third, bus=bus)
    except Exception as error:
        pytest.fail(f"the whole batch failed: {error!r}")
    assert types(bus) == ["tenant.created", "user.registered", "account.connected"]
    assert failed == [poison["dynamodb"]["SequenceNumber"]]


def test_events_that_the_bus_refuses_are_brought_again() -> None:
    records = batch()
    bus, failed = publish(*records, bus=MemoryBus(refuse=[1]))
    assert failed == [records[1]["dynamodb"]["SequenceNumber"]]
    assert types(bus) == ["tenant.created", "account.connected", "discovery.completed"]


def test_a_record_without_a_sequence_number_fails_the_batch() -> None:
    with pytest.raises(UnreadableRecord):
        publish(record("identity", tenant_item()), {})


SECRETS = (
    "password_hash reset_hash refresh_hash csrf_key list_key external_id role_arn sealed_keys "
    "access_key_masked template_key token email fix snapshot checks chosen_by_nobody"
)


def test_events_hold_no_secret() -> None:
    """A canary in every stored attribute that no mapping names reaches no event."""
    canary = "canary-5f2b"
    secrets = dict.fromkeys(SECRETS.split(), canary)
    old = {"status": "pending"}
    for table, item, sk, before in (
        ("identity", tenant_item(), "TENANT", None),
        ("identity", user_item(), f"USER#{USER}", None),
        ("discovery", {"id": RUN, "onboarding_id": USER, "account_id": ACCOUNT,
                       "status": "completed"}, f"RUN#{RUN}", old),
        ("onboarding", registration("refused", refusal_code="ACCOUNT_MISMATCH",
                                    refusal_fix=canary), f"ACCOUNT#{USER}", old),
    ):  # fmt: skip
        bus, failed = publish(record(table, {**item, **secrets}, before, sk=sk))
        assert failed == []
        assert len(bus.events) == 1
        assert canary not in json.dumps([dict(event.detail) for event in bus.events])


def test_a_draft_of_an_unknown_type_is_refused() -> None:
    with pytest.raises(ValueError, match="not an event type"):
        Draft("tenant.exploded", {})
    assert "tenant.created" in EVENT_TYPES


def test_every_attribute_type_is_read() -> None:
    assert plain(
        {
            "n": {"N": "1.5"}, "b": {"B": "AAE="}, "z": {"NULL": True}, "t": {"BOOL": False},
            "ss": {"SS": ["a"]}, "ns": {"NS": ["1"]}, "bs": {"BS": ["AAE="]},
            "l": {"L": [{"S": "x"}]}, "m": {"M": {"k": {"S": "v"}}},
        }
    )["m"] == {"k": "v"}  # fmt: skip
    with pytest.raises(UnreadableRecord):
        plain({"x": {"Q": "?"}})


def test_recorded_stream_records_of_other_tables_are_unreadable() -> None:
    records = json.loads(vectors("lambda-events/dynamoStreamEvent.json").read_text())["Records"]
    for foreign in records:
        with pytest.raises(UnreadableRecord):
            read_change(foreign, PREFIX)


def test_an_event_needs_a_tenant() -> None:
    def claims(change: Change) -> Iterator[Draft]:
        yield Draft("tenant.created", {})

    bus = MemoryBus()
    failed = Publisher({"identity": claims}, bus, PREFIX).publish(
        [record("identity", tenant_item(), pk="TENANTS", sk=TENANT)]
    )
    assert len(failed) == 1
    assert bus.events == []
