"""Events, delivery and handshakes on the strict double (RT-1 to RT-4)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from tidegate.realtime.domain import Ticket
from tidegate.realtime.models import TicketItem
from tidegate.realtime.public import publish
from tidegate.realtime.repository.connections import DynamoConnections, GlobalConnections
from tidegate.realtime.repository.events import DynamoEvents, NewEvent
from tidegate.realtime.repository.tickets import GlobalTickets
from tidegate.realtime.service.delivery import Delivery
from tidegate.realtime.service.frames import Frames
from tidegate.realtime.service.handshake import Handshake, Refused
from tidegate.realtime.service.sweep import Sweep
from tidegate_kit.auth.authenticate import DynamoMemberStore
from tidegate_kit.auth.build import build_authenticator
from tidegate_kit.auth.models import SessionItem, UserItem, session_key, user_key
from tidegate_kit.clock import FixedClock, system_clock
from tidegate_kit.dynamo import batch_get
from tidegate_kit.ids import new_id, new_secret
from tidegate_kit.settings import Settings
from tidegate_kit.tenancy import TenantScope

from tests.builders.members import SignedIn, sign_in
from tests.fakes.races import race


class Sockets:
    """A gateway that remembers frames; `gone` ids answer as closed."""

    def __init__(self) -> None:
        self.frames: dict[str, list[dict[str, Any]]] = {}
        self.closed: list[str] = []
        self.gone: set[str] = set()
        self.before_post: Callable[[], None] = lambda: None

    def post(self, connection_id: str, text: str) -> bool:
        self.before_post()
        if connection_id in self.gone:
            return False
        self.frames.setdefault(connection_id, []).append(json.loads(text))
        return True

    def close(self, connection_id: str) -> None:
        self.closed.append(connection_id)

    def sequences(self, connection_id: str) -> list[int]:
        """The numbers a connection got, in order of arrival."""
        return [f["sequence"] for f in self.frames.get(connection_id, []) if "sequence" in f]


@pytest.fixture
def sockets() -> Sockets:
    return Sockets()


@pytest.fixture
def handshake(platform: Settings, sockets: Sockets) -> Handshake:
    authenticator = build_authenticator(platform, system_clock)
    return Handshake(authenticator, DynamoMemberStore(), GlobalTickets(), sockets, system_clock)


def tell(scope: TenantScope, n: int = 1, user_id: str | None = None) -> None:
    for _ in range(n):
        publish(
            scope, "system_alert", {"n": n}, source_id=new_id(), now=system_clock(),
            user_id=user_id,
        )  # fmt: skip


def ticket_for(member: SignedIn, client_id: str = "web") -> str:
    text = new_secret()
    GlobalTickets().issue(
        text,
        Ticket(member.tenant_id, member.user_id, member.session_id, client_id, system_clock()),
    )
    return text


def connect(handshake: Handshake, member: SignedIn, name: str, **query: str) -> str:
    handshake.open(name, {"client_id": name, "token": member.token, **query})
    return name


def scope_of(member: SignedIn) -> TenantScope:
    return TenantScope(member.tenant_id)


def one_log_for_all(self: Any, scope: TenantScope, pause: Any = None) -> None:
    """The events' key without its tenant."""
    self._pk, self._pause = "T#everybody#EVENTS", pause


@pytest.mark.hazard("B13")
@pytest.mark.bite("tidegate.realtime.repository.events.DynamoEvents.__init__", one_log_for_all)
def test_a_canary_reaches_its_own_tenant_only(handshake: Handshake, sockets: Sockets) -> None:
    """B13: with two tenants connected, an event reaches the sockets of one."""
    own, other = sign_in(), sign_in()
    connect(handshake, own, "own")
    connect(handshake, other, "other")
    tell(scope_of(own), 3)
    for member in (own, other):
        Delivery(scope_of(member), sockets, system_clock).to_all()
    assert sockets.sequences("own") == [1, 2, 3]
    assert sockets.sequences("other") == []


@pytest.mark.hazard("H21")
@pytest.mark.bite(
    "tidegate.realtime.repository.connections.DynamoConnections.take",
    lambda self, connection_id, now: self.get(connection_id),
)
def test_live_and_replay_at_once_give_neither_gap_nor_repeat(
    handshake: Handshake, sockets: Sockets
) -> None:
    """H21: many workers, told of the same events at once, send each number once and in order."""
    member = sign_in()
    scope = scope_of(member)
    tell(scope, 5)
    connect(handshake, member, "c", since="2")

    def work(worker: int, round_: int) -> None:
        tell(scope)
        Delivery(scope, sockets, system_clock).to_all()

    outcome = race(6, work, rounds=5)
    assert outcome.error_types() == {}
    Delivery(scope, sockets, system_clock).to_all()
    assert sockets.sequences("c") == list(range(3, 5 + 30 + 1))


def test_a_wake_up_left_while_sending_is_not_lost(handshake: Handshake, sockets: Sockets) -> None:
    member = sign_in()
    scope = scope_of(member)
    connect(handshake, member, "c")
    tell(scope)
    late = iter([True])

    def another_worker() -> None:
        if next(late, False):
            tell(scope)
            Delivery(scope, sockets, system_clock).catch_up("c")

    sockets.before_post = another_worker
    Delivery(scope, sockets, system_clock).catch_up("c")
    assert sockets.sequences("c") == [1, 2]


def still_good(self: GlobalTickets, text: str, now: datetime) -> Ticket | None:
    """Tickets that live on after their use."""
    (found,) = batch_get(
        [(TicketItem, f"TICKET#{hashlib.sha256(text.encode()).hexdigest()}", "TICKET")]
    )
    if found is None:
        return None
    return Ticket(
        found.tenant_id, found.user_id, found.session_id, found.client_id, found.created_at
    )


@pytest.mark.hazard("A22")
@pytest.mark.bite("tidegate.realtime.repository.tickets.GlobalTickets.use", still_good)
def test_a_ticket_opens_one_socket_of_its_client(handshake: Handshake) -> None:
    """A22: a ticket that was used, has expired or names another client opens nothing."""
    member = sign_in()
    text = ticket_for(member)
    handshake.open("one", {"client_id": "web", "ticket": text})
    for query, status in (
        ({"client_id": "web", "ticket": text}, 401),
        ({"client_id": "other", "ticket": ticket_for(member)}, 403),
        ({"client_id": "web", "ticket": "nonsense"}, 401),
        ({"client_id": "web"}, 401),
        ({"client_id": "a b", "ticket": ticket_for(member)}, 400),
        ({"client_id": "web", "token": "a.b.c"}, 401),
    ):
        with pytest.raises(Refused) as refused:
            handshake.open("two", query)
        assert refused.value.status == status


@pytest.mark.hazard("A11")
def test_tickets_and_tokens_are_never_swapped(handshake: Handshake) -> None:
    """A11: a socket's ticket is no access token, and an access token is no ticket."""
    member = sign_in()
    for swapped in ({"token": ticket_for(member)}, {"ticket": member.token}):
        with pytest.raises(Refused) as refused:
            handshake.open("one", {"client_id": "web", **swapped})
        assert refused.value.status == 401


@pytest.mark.hazard("A22")
@pytest.mark.bite("tidegate.realtime.repository.tickets.GlobalTickets.use", still_good)
def test_an_expired_ticket_opens_nothing(platform: Settings) -> None:
    """A22: a ticket is good for less than 60 seconds."""
    clock = FixedClock(system_clock())
    text, tickets = new_secret(), GlobalTickets()
    tickets.issue(text, Ticket("t", "u", "s", "c", clock()))
    clock.advance(seconds=60)
    assert tickets.use(text, clock()) is None


@pytest.mark.hazard("A25")
@pytest.mark.bite("tidegate.realtime.service.handshake.check_member", lambda *_: None)
def test_a_ticket_from_before_logout_is_refused(handshake: Handshake) -> None:
    """A25: of 16 handshakes at once one connects, and none after a log-out or a disabled user."""
    member = sign_in()
    text = ticket_for(member)

    def attempt(worker: int, round_: int) -> None:
        handshake.open(f"c{worker}", {"client_id": "web", "ticket": text})

    race(16, attempt, rounds=1).assert_one_winner(loses_with=Refused)
    late = ticket_for(member)
    session = SessionItem(f"T#{member.tenant_id}", session_key(member.user_id, member.session_id))
    session.update(actions=[SessionItem.revoked_at.set(system_clock())])
    with pytest.raises(Refused):
        handshake.open("late", {"client_id": "web", "ticket": late})
    disabled = sign_in()
    text = ticket_for(disabled)
    user = UserItem(f"T#{disabled.tenant_id}", user_key(disabled.user_id))
    user.update(actions=[UserItem.is_active.set(False)])
    with pytest.raises(Refused):
        handshake.open("off", {"client_id": "web", "ticket": text})


@pytest.mark.hazard("A14")
@pytest.mark.bite("tidegate.realtime.service.sweep.check_member", lambda *_: None)
def test_the_sweep_closes_sockets_of_ended_sessions(
    platform: Settings, handshake: Handshake, sockets: Sockets
) -> None:
    """A14: sockets of a session that was logged out are closed by the next minute's sweep."""
    gone, stays = sign_in(), sign_in()
    connect(handshake, gone, "gone")
    connect(handshake, stays, "stays")
    session = SessionItem(f"T#{gone.tenant_id}", session_key(gone.user_id, gone.session_id))
    session.update(actions=[SessionItem.revoked_at.set(system_clock())])
    Sweep(DynamoMemberStore(), sockets, system_clock).run(GlobalConnections().all())
    assert sockets.closed == ["gone"]
    assert [place[1] for place in GlobalConnections().all()] == ["stays"]


def test_the_sweep_closes_sockets_after_two_hours(handshake: Handshake, sockets: Sockets) -> None:
    connect(handshake, sign_in(), "old")
    clock = FixedClock(system_clock() + timedelta(hours=2, seconds=1))
    assert Sweep(DynamoMemberStore(), sockets, clock).run(GlobalConnections().all()) == 1


@pytest.mark.hazard("H10")
@pytest.mark.bite("tidegate.realtime.repository.connections.DynamoConnections.remove", returns=None)
def test_a_gone_socket_is_removed_and_the_others_are_served(
    handshake: Handshake, sockets: Sockets
) -> None:
    """H10: the first failed post removes a connection; the others get their events."""
    member = sign_in()
    for n in range(20):
        connect(handshake, member, f"c{n}")
    sockets.gone = {"c3", "c7"}
    tell(scope_of(member))
    Delivery(scope_of(member), sockets, system_clock).to_all()
    assert sorted(DynamoConnections(scope_of(member)).ids()) == sorted(
        f"c{n}" for n in range(20) if n not in (3, 7)
    )
    assert all(sockets.sequences(f"c{n}") == [1] for n in range(20) if n not in (3, 7))


@pytest.mark.hazard("B22")
@pytest.mark.bite("tidegate.realtime.service.handshake.sequence_of", returns=0)
def test_since_is_a_number_that_was_reached(handshake: Handshake, sockets: Sockets) -> None:
    """B22: negative, huge or textual `since` is refused, a future one gets the gap marker."""
    member = sign_in()
    tell(scope_of(member), 3)
    for bad in ("-1", "9223372036854775808", "x", "1e3", "", "٣"):
        with pytest.raises(Refused) as refused:
            connect(handshake, member, "c", since=bad)
        assert refused.value.status == 400
    connect(handshake, member, "future", since="99")
    Delivery(scope_of(member), sockets, system_clock).to_all()
    (marker,) = sockets.frames["future"]
    assert (marker["type"], marker["data"]["action"]) == ("control", "replay_truncated")


@pytest.mark.hazard("B22")
@pytest.mark.bite("tidegate.realtime.service.handshake.check_member", lambda *_: None)
def test_a_replay_is_of_ones_own_stream_and_for_living_members(
    handshake: Handshake, sockets: Sockets
) -> None:
    """B22: another tenant's sequence replays nothing; a revoked member gets nothing."""
    member, other = sign_in(), sign_in()
    tell(scope_of(member), 2)
    tell(scope_of(other), 5)
    connect(handshake, member, "c", since="3")
    Delivery(scope_of(member), sockets, system_clock).to_all()
    (marker,) = sockets.frames["c"]
    assert marker["data"]["action"] == "replay_truncated"
    ticket = ticket_for(member, "late")
    session = SessionItem(f"T#{member.tenant_id}", session_key(member.user_id, member.session_id))
    session.update(actions=[SessionItem.revoked_at.set(system_clock())])
    with pytest.raises(Refused):
        handshake.open("late", {"client_id": "late", "ticket": ticket, "since": "0"})
    Delivery(scope_of(member), sockets, system_clock).to_all()
    assert sockets.sequences("late") == []


def test_expired_events_are_told_as_a_gap(handshake: Handshake, sockets: Sockets) -> None:
    member = sign_in()
    scope = scope_of(member)
    old = system_clock() - timedelta(hours=25)
    DynamoEvents(scope).append(NewEvent("old", "system_alert", {}), old)
    tell(scope)
    connect(handshake, member, "c", since="0")
    Delivery(scope, sockets, system_clock).to_all()
    assert sockets.frames["c"][0]["data"]["action"] == "replay_truncated"
    assert sockets.sequences("c") == [2]


def test_private_events_and_unsubscribed_types_are_not_sent(
    handshake: Handshake, sockets: Sockets
) -> None:
    member = sign_in()
    colleague = sign_in(tenant_id=member.tenant_id)
    scope = scope_of(member)
    connect(handshake, member, "mine")
    connect(handshake, colleague, "theirs")
    connections, events = DynamoConnections(scope), DynamoEvents(scope)
    delivery = Delivery(scope, sockets, system_clock)
    frames = Frames(connections, events, delivery, sockets, system_clock)
    theirs = connections.get("theirs")
    assert theirs is not None
    frames.receive(theirs, json.dumps({"action": "unsubscribe", "types": ["metrics_update"]}))
    tell(scope, user_id=member.user_id)
    publish(scope, "metrics_update", {}, source_id="m", now=system_clock())
    tell(scope)
    delivery.to_all()
    assert sockets.sequences("mine") == [1, 2, 3]
    assert sockets.sequences("theirs") == [3]


def test_frames_are_answered_and_replay_starts_again(
    handshake: Handshake, sockets: Sockets
) -> None:
    member = sign_in()
    scope = scope_of(member)
    connect(handshake, member, "c")
    tell(scope, 2)
    delivery = Delivery(scope, sockets, system_clock)
    delivery.to_all()
    connections = DynamoConnections(scope)
    frames = Frames(connections, DynamoEvents(scope), delivery, sockets, system_clock)
    for body, action, ok in (
        ('{"action":"ping"}', "ping", True),
        ('{"action":"subscribe","types":["nonsense"]}', "subscribe", False),
        ('{"action":"replay","since":-1}', "replay", False),
        ("not json", "unknown", False),
        ("[" * 100_000, "unknown", False),
        (json.dumps({"action": "ping", "pad": "x" * 40_000}), "unknown", False),
        ('{"action":"replay","since":0}', "replay", True),
    ):
        connection = connections.get("c")
        assert connection is not None
        frames.receive(connection, body)
        reply = [f for f in sockets.frames["c"] if f["type"] == "control"][-1]
        assert (reply["data"], "sequence" in reply) == ({"action": action, "ok": ok}, False)
    assert sockets.sequences("c") == [1, 2, 1, 2]


def test_the_same_client_replaces_its_earlier_connection(
    handshake: Handshake, sockets: Sockets
) -> None:
    member = sign_in()
    for name in ("one", "two"):
        handshake.open(name, {"client_id": "web", "token": member.token})
    assert sockets.closed == ["one"]
    assert DynamoConnections(scope_of(member)).ids() == ["two"]


def test_a_source_told_twice_and_late_progress_make_no_event(platform: Settings) -> None:
    events = DynamoEvents(TenantScope(new_id()))

    def progress(percent: int) -> int | None:
        event = NewEvent(new_id(), "workflow_execution_update", {}, progress=("x", percent))
        return events.append(event, system_clock())

    assert events.append(NewEvent("s", "system_alert", {}), system_clock()) == 1
    assert events.append(NewEvent("s", "system_alert", {}), system_clock()) is None
    assert [progress(p) for p in (0, 40, 20, 40, 100, 99, 100)] == [2, 3, None, 4, 5, None, None]


@hypothesis_settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(st.integers(0, 100), max_size=8))
def test_told_progress_never_falls(platform: Settings, percents: list[int]) -> None:
    events, execution = DynamoEvents(TenantScope(new_id())), new_id()
    told = []
    for percent in percents:
        event = NewEvent(new_id(), "workflow_execution_update", {}, progress=(execution, percent))
        if events.append(event, system_clock()) is not None:
            told.append(percent)
    assert told == sorted(told)
    assert told.count(100) <= 1


def test_writers_at_once_get_numbers_without_gap(platform: Settings) -> None:
    scope = TenantScope(new_id())

    def write(worker: int, round_: int) -> int | None:
        return publish(
            scope, "system_alert", {}, source_id=f"{worker}-{round_}", now=system_clock()
        )

    outcome = race(8, write, rounds=4)
    numbers = [attempt.result for rnd in outcome.rounds for attempt in rnd.winners]
    assert sorted(numbers) == list(range(1, 33))
