"""Hostile and unlucky calendars: OAuth attacks, token refresh, faults in every call of a sync."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from tidegate.calendar.errors import (
    OAuthStateInvalid,
    ReconnectRequired,
    RedirectNotAllowed,
)
from tidegate.calendar.routes import router
from tidegate.calendar.service import oauth
from tidegate_kit.crypto import KmsSealer
from tidegate_kit.errors import ApiError
from tidegate_kit.outbound import OutboundFailed
from tidegate_kit.settings import Settings

from tests.builders.api import ApiClient
from tests.builders.calendar import REDIRECT, SESSION, Connected, draft, in_memory, on_dynamo
from tests.builders.members import sign_in
from tests.builders.settings import REGION
from tests.fakes.faults import SideEffect, enumerate_faults
from tests.fakes.google_calendar import oauth as google_oauth
from tests.fakes.races import race
from tests.fakes.recorded import vectors
from tests.fakes.tables import dump_tables, empty_tables

HTTP = SideEffect(
    "tidegate_kit.outbound.client.OutboundClient.request",
    throttled=lambda: OutboundFailed("connect"),
    lost=lambda: OutboundFailed("timeout"),
)


@pytest.fixture
def world() -> Iterator[Connected]:
    """A user who has not connected a calendar yet."""
    with in_memory(connect=False) as made:
        yield made


# ---- OAuth -------------------------------------------------------------------------------------

LOOK_ALIKES = [
    "http://localhost:3000.evil.example/x", "http://localhost:30001/x", "http://localhost/x",
    "https://localhost:3000/x", "http://localhost:3000@evil.example/x", "//localhost:3000/x",
    "http://user@localhost:3000/x", "http://localhost:3000\\@evil.example/x",
    "http://evil.example/http://localhost:3000/x", "http:/localhost:3000/x", "javascript:alert(1)",
    "http://localhost:3000%2eevil.example/x", "http://localhost:3000%40evil.example/x",
    "http://LOCALHOST:3000/x", "http://localhost:3000#@evil.example/", "http://localhost:3000\t/x",
    " http://localhost:3000/x", "http://ⓛocalhost:3000/x", "data:text/html,x", "/x", "x",
    "http://localhost:3000/x\r\nLocation: http://evil.example", "http://[::1]:3000/x",
    "http://localhost:3000/%2f%2fevil.example",
]  # fmt: skip


@pytest.mark.hazard("C13")
@pytest.mark.bite("tidegate.calendar.service.oauth.check_redirect", returns=None)
def test_only_our_own_origins_are_returned_to(world: Connected) -> None:
    """C13: a look-alike of a configured origin is refused, and nothing is stored."""
    accepted = []
    for address in LOOK_ALIKES:
        with contextlib.suppress(RedirectNotAllowed):
            world.oauth.start(SESSION, address)
            accepted.append(address)
    assert accepted == []
    assert world.connections.started == {}  # type: ignore[attr-defined]
    world.oauth.start(SESSION, REDIRECT)


def _state_of_another_session(world: Connected) -> None:
    url, _ = world.oauth.start("aaaaaaaa-4f89-41d3-9a0c-0305e82c3301", REDIRECT)
    code, state = world.google.oauth.consent(url)
    world.oauth.complete(SESSION, code, state)


def _missing_state(world: Connected) -> None:
    url, _ = world.oauth.start(SESSION, REDIRECT)
    code, _ = world.google.oauth.consent(url)
    world.oauth.complete(SESSION, code, "")


def _replayed_state(world: Connected) -> None:
    url, _ = world.oauth.start(SESSION, REDIRECT)
    code, state = world.google.oauth.consent(url)
    world.oauth.complete(SESSION, code, state)
    world.oauth.disconnect()
    again, _ = world.google.oauth.consent(url)
    world.oauth.complete(SESSION, again, state)


def _replayed_code(world: Connected) -> None:
    url, _ = world.oauth.start(SESSION, REDIRECT)
    code, state = world.google.oauth.consent(url)
    world.oauth.complete(SESSION, code, state)
    world.oauth.disconnect()
    _, another = world.oauth.start(SESSION, REDIRECT)
    world.oauth.complete(SESSION, code, another)


def _old_state(world: Connected) -> None:
    url, _ = world.oauth.start(SESSION, REDIRECT)
    code, state = world.google.oauth.consent(url)
    world.later(minutes=10)
    world.oauth.complete(SESSION, code, state)


def _injected_code(world: Connected) -> None:
    """An attacker's code, got with his own challenge, under the victim's state."""
    world.google.oauth.tells_identity = False  # so that PKCE alone stands in the way
    url, _ = world.oauth.start(SESSION, REDIRECT)
    _, state = world.google.oauth.consent(url)
    theirs, _ = world.oauth.start("attacker", REDIRECT)
    code, _ = world.google.oauth.consent(theirs)
    world.oauth.complete(SESSION, code, state)


def _another_issuer(world: Connected) -> None:
    url, _ = world.oauth.start(SESSION, REDIRECT)
    code, state = world.google.oauth.consent(url)
    world.google.oauth.issuer = "https://accounts.evil.example"
    world.oauth.complete(SESSION, code, state)


def _token_of_another_client(world: Connected) -> None:
    url, _ = world.oauth.start(SESSION, REDIRECT)
    code, state = world.google.oauth.consent(url)
    world.google.oauth.codes[code]["nonce"] = "of another attempt"
    world.oauth.complete(SESSION, code, state)


def _mixed_up(world: Connected) -> None:
    """Started at one provider, answered while another one is configured."""
    url, _ = world.oauth.start(SESSION, REDIRECT)
    code, state = world.google.oauth.consent(url)
    world.google.issuer = "https://other.example"
    world.google.oauth.issuer = "https://other.example"
    world.oauth.complete(SESSION, code, state)


ATTACKS: list[Callable[[Connected], None]] = [
    _state_of_another_session, _missing_state, _replayed_state, _replayed_code, _old_state,
    _injected_code, _another_issuer, _token_of_another_client, _mixed_up,
]  # fmt: skip
_SESSION = "tidegate.calendar.service.oauth.OAuthService._holds"


@pytest.mark.hazard("C19")
@pytest.mark.bite(
    _SESSION,
    replacement=lambda self, pending, session_id: True,
    cases=["_state_of_another_session", "_old_state", "_mixed_up"],
)
@pytest.mark.bite(
    "tidegate.calendar.service.oauth.check_identity",
    returns=None,
    cases=["_another_issuer", "_token_of_another_client"],
)
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_an_authorisation_is_of_one_session_once(
    world: Connected, attack: Callable[[Connected], None]
) -> None:
    """C19: state missing, replayed, old or another session's; code replayed, injected; mix-up."""
    with pytest.raises(OAuthStateInvalid) as refused:
        attack(world)
    assert (refused.value.status, refused.value.code) == (400, "OAUTH_STATE_INVALID")
    assert world.connections.get() is None


@pytest.mark.hazard("C19")
def test_the_challenge_is_sent_and_the_verifier_is_kept_here(world: Connected) -> None:
    """C19: PKCE is never left out; the verifier is sealed at rest and never in the address."""
    url, state = world.oauth.start(SESSION, REDIRECT)
    (pending,) = world.connections.started.values()  # type: ignore[attr-defined]
    verifier = world.vault.open_verifier(pending.verifier)
    assert verifier not in url
    assert verifier != pending.verifier
    assert len(verifier) >= 43
    assert f"code_challenge={oauth.challenge_of(verifier)}" in url
    assert "code_challenge_method=S256" in url
    code, state = world.google.oauth.consent(url)
    world.google.oauth.codes[code]["code_challenge"] = google_oauth.challenge("another")
    with pytest.raises(OAuthStateInvalid):
        world.oauth.complete(SESSION, code, state)
    assert world.connections.get() is None


# ---- tokens ------------------------------------------------------------------------------------


def _kms(platform: Settings) -> KmsSealer:
    return KmsSealer(boto3.client("kms", region_name=REGION), platform.kms_key_arn)


@pytest.mark.hazard("C20")
@pytest.mark.bite("tidegate.calendar.repository.connections._follows", returns=None)
def test_eight_syncs_refresh_a_rotating_token_once(platform: Settings) -> None:
    """C20: of 8 parallel syncs one refreshes; no token is lost, round after round."""
    with on_dynamo(_kms(platform)) as world:
        world.google.oauth.rotating = True
        world.sync()

        def expire(number: int) -> None:
            world.later(hours=2)
            world.google.oauth.refreshes = 0

        def check(rnd: Any) -> None:
            assert world.google.oauth.refreshes == 1, f"round {rnd.number}"
            status = world.oauth.status()
            assert status is not None
            assert not status.needs_reconnect

        outcome = race(
            8, lambda worker, number: world.sync(), rounds=100, setup=expire, check=check
        )
        assert all(rnd.winners for rnd in outcome.rounds)
        assert set(outcome.error_types()) <= {"SyncRunning"}
        world.later(hours=2)
        world.sync()


@pytest.mark.hazard("C20")
def test_a_lost_answer_of_a_rotating_provider_asks_to_reconnect(world: Connected) -> None:
    """C20: the answer with the new token is lost, the old one is over: reconnect, with reason."""
    world.connect()
    world.google.oauth.rotating = True
    world.later(hours=2)
    world.google.fail(503, "backendError", part="/token", after=True)
    with pytest.raises(ReconnectRequired):
        world.sync()
    status = world.oauth.status()
    assert status is not None
    assert status.needs_reconnect
    assert status.last_error == "Google has ended or revoked the authorisation"
    world.connect()
    world.sync()


@pytest.mark.hazard("C20")
def test_a_rotated_token_is_stored_before_it_is_used(world: Connected) -> None:
    """C20: when the first call with the new token fails, both tokens are here already."""
    world.connect()
    world.google.oauth.rotating = True
    world.later(hours=2)
    world.google.fail(403, "forbidden", part="/calendar/")
    with pytest.raises(ApiError):
        world.sync()
    connection = world.connections.get()
    assert connection is not None
    assert world.vault.refresh_token(connection) in world.google.oauth.refresh
    world.sync()
    assert world.google.oauth.refreshes == 1


@pytest.mark.hazard("C20")
def test_invalid_grant_is_a_state_with_a_reason(world: Connected) -> None:
    """C20: a revoked authorisation is told once by Google and remembered here."""
    world.connect()
    world.google.oauth.end_grants()
    world.later(hours=2)
    for _ in range(3):
        with pytest.raises(ReconnectRequired):
            world.sync()
    assert world.google.oauth.refreshes == 1


def test_no_token_is_stored_in_clear(platform: Settings) -> None:
    """Canaries of access and refresh tokens are in no item of the table."""
    with on_dynamo(_kms(platform)) as world:
        world.later(hours=2)
        world.sync()
        client = boto3.client("dynamodb", region_name=REGION)
        text = json.dumps(dump_tables(client, [f"{platform.table_prefix}-calendar"]))
        assert "OAUTH#google" in text
        for secret in (*world.google.oauth.access, *world.google.oauth.refresh, "canary"):
            assert secret not in text
            assert base64.b64encode(secret.encode()).decode() not in text


# ---- faults ------------------------------------------------------------------------------------


@pytest.fixture
def fresh(platform: Settings, table_specs: Any) -> Callable[[], Any]:
    """A maker of worlds on an emptied table."""
    client = boto3.client("dynamodb", region_name=REGION)
    specs = [spec for spec in table_specs if spec.name.endswith("-calendar")]
    sealer = _kms(platform)

    @contextlib.contextmanager
    def make() -> Iterator[Connected]:
        empty_tables(client, specs)
        with on_dynamo(sealer) as world:
            yield world

    return make


@pytest.fixture
def changed_on_both_sides(fresh: Callable[[], Any]) -> Callable[[], Any]:
    """A synced calendar in which then both sides created, changed and deleted."""

    @contextlib.contextmanager
    def make() -> Iterator[Connected]:
        with fresh() as world:
            google = world.google.calendar
            google.page_size = 2
            theirs = [google.add(summary=f"theirs {n}") for n in range(3)]
            ours = [world.service.create(draft(title=f"ours {n}")) for n in range(2)]
            world.sync()
            world.later(hours=2)  # the access token is over, so a refresh is in the flow
            google.edit(theirs[0]["id"], summary="theirs 0 changed")
            google.delete(theirs[1]["id"], "")
            google.add(summary="theirs new")
            world.service.change(ours[0].id, {"title": "ours 0 changed"})
            world.service.delete(ours[1].id)
            world.service.create(draft(title="ours new"))
            # Changed on both sides: the later one is ours.
            google.edit(theirs[2]["id"], summary="theirs 2 earlier")
            both = next(e for e in world.events.all() if e.content.title == "theirs 2")
            world.later()
            world.service.change(both.id, {"title": "theirs 2 later"})
            yield world

    return make


BOTH = sorted(["theirs 0 changed", "theirs new", "ours 0 changed", "ours new",
               "theirs 2 later"])  # fmt: skip


def assert_both_sides_agree(world: Connected) -> None:
    """Nothing is lost and nothing doubled; and everything was told."""
    assert world.titles() == BOTH
    assert world.google_titles() == BOTH
    assert world.events.pushes() == []
    connection = world.connections.get()
    assert connection is not None
    assert (connection.page_token, connection.full, connection.lease) == (None, None, None)


def test_a_failure_at_any_call_of_a_sync_loses_and_doubles_nothing(
    changed_on_both_sides: Callable[[], Any],
) -> None:
    """CAL-2, CAL-3: every AWS and HTTP call fails once in each of four ways; then it goes on."""
    report = enumerate_faults(
        flow=lambda world: world.sync(),
        redeliver=lambda world: world.sync(),
        invariants=assert_both_sides_agree,
        fresh=changed_on_both_sides,
        restart=lambda world: world.later(seconds=61),
        side_effects=[HTTP],
        name="calendar sync",
    )
    assert len(report.calls) > 20


def test_a_failure_at_any_call_of_a_full_sync(fresh: Callable[[], Any]) -> None:
    """CAL-2: the full sync after a 410 removes what is gone, whatever fails."""

    @contextlib.contextmanager
    def make() -> Iterator[Connected]:
        with fresh() as world:
            google = world.google.calendar
            kept, gone = google.add(summary="kept"), google.add(summary="gone")
            world.sync()
            world.later()
            google.delete(gone["id"], "")
            google.edit(kept["id"], summary="kept changed")
            google.expire_sync_tokens()
            yield world

    def invariants(world: Connected) -> None:
        assert world.titles() == world.google_titles() == ["kept changed"]

    enumerate_faults(
        flow=lambda world: world.sync(),
        redeliver=lambda world: world.sync(),
        invariants=invariants,
        fresh=make,
        restart=lambda world: world.later(seconds=61),
        side_effects=[HTTP],
        name="calendar full sync",
    )


def test_a_failure_at_any_call_of_an_import(fresh: Callable[[], Any]) -> None:
    """CAL-4: a file that was cut off is completed by sending it again."""
    times = "DTSTART:20260302T080000Z\r\n"
    event = "BEGIN:VEVENT\r\nUID:{0}@x\r\n" + times + "SUMMARY:e{0:02d}\r\nEND:VEVENT\r\n"
    body = "".join(event.format(number) for number in range(30))
    data = f"BEGIN:VCALENDAR\r\n{body}END:VCALENDAR\r\n".encode()

    def invariants(world: Connected) -> None:
        assert world.titles() == [f"e{number:02d}" for number in range(30)]
        assert len(world.events.pushes()) == 30

    enumerate_faults(
        flow=lambda world: world.files.load(data),
        redeliver=lambda world: world.files.load(data),
        invariants=invariants,
        fresh=fresh,
        name="calendar import",
    )


def test_a_failure_at_any_call_of_creating_an_event(fresh: Callable[[], Any]) -> None:
    """H1: one effect key makes one event, however its call ends."""
    enumerate_faults(
        flow=lambda world: world.service.create(draft(title="once"), "effect"),
        redeliver=lambda world: world.service.create(draft(title="once"), "effect"),
        invariants=lambda world: _assert_once(world),
        fresh=fresh,
        name="calendar event",
    )


def _assert_once(world: Connected) -> None:
    assert world.titles() == ["once"]
    assert len(world.events.pushes()) == 1


# ---- texts -------------------------------------------------------------------------------------


@pytest.mark.hazard("D13")
def test_naughty_strings_come_back_or_are_refused(platform: Settings) -> None:
    """D13: 515 naughty strings in events: byte-equal, or 422; never a 5xx."""
    client = ApiClient([router], platform)
    path: Path = vectors("blns.json")
    strings = [text for text in json.loads(path.read_text()) if isinstance(text, str)]
    pending, kept, refused = strings, 0, 0
    for number in itertools.count():
        if not pending:
            break
        if number % 40 == 0:
            headers = sign_in().headers  # the rate limit counts per user
        part = dict(zip(("title", "description", "location"), pending, strict=False))
        part.setdefault("title", "x")
        body = {**part, "start": "2026-03-02T08:00:00Z", "end": "2026-03-02T08:00:00Z"}
        made = client.post("/v1/calendar/events", json=body, headers=headers)
        assert made.status_code in {201, 422}, part
        if made.status_code == 201:
            one = client.get(f"/v1/calendar/events/{made.json()['id']}", headers=headers).json()
            assert {name: one[name] for name in part} == {k: v.strip() for k, v in part.items()}
            kept, pending = kept + len(pending[:3]), pending[3:]
            continue
        wrong = {one["field"] for one in made.json()["error"]["details"]}
        assert wrong <= part.keys()
        # The refused ones are settled; the others are sent again.
        names = list(part)
        again = [text for name, text in zip(names, pending[:3], strict=False) if name not in wrong]
        refused += len(pending[:3]) - len(again)
        pending = [*again, *pending[3:]]
    assert (kept > 400, kept + refused) == (True, len(strings))
    assert len(strings) >= 500
