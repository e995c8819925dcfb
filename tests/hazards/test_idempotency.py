"""Idempotency-Key: one effect and one answer (IDEM-1)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from tidegate_kit.clients import kms_sealer
from tidegate_kit.clock import FixedClock
from tidegate_kit.errors import ServiceUnavailable
from tidegate_kit.idempotency import (
    DynamoIdempotencyStore,
    IdempotencyInFlight,
    IdempotencyItem,
    IdempotencyKeyReused,
    Kept,
    keepable,
)
from tidegate_kit.settings import Settings

from tests.builders.api import ApiClient
from tests.builders.example import example_router
from tests.builders.members import SignedIn, sign_in
from tests.fakes.races import race

START = datetime(2026, 1, 2, 3, 4, 0, tzinfo=UTC)


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(START)


@pytest.fixture
def store(platform: Settings, clock: FixedClock) -> DynamoIdempotencyStore:
    return DynamoIdempotencyStore(clock, lambda: kms_sealer(platform))


class Caller:
    """A member who repeats calls."""

    def __init__(self, platform: Settings, clock: FixedClock) -> None:
        self.router = example_router()
        self.effects: list[str] = self.router.effects  # type: ignore[attr-defined]
        self.client = ApiClient([self.router], platform, clock)
        self.member = sign_in(clock=clock)

    def post(
        self, key: str, text: str = "a", path: str = "/effects", member: SignedIn | None = None
    ) -> httpx.Response:
        headers = {**(member or self.member).headers, "Idempotency-Key": key}
        return self.client.post(path, json={"text": text}, headers=headers)


@pytest.fixture
def caller(platform: Settings, clock: FixedClock) -> Caller:
    return Caller(platform, clock)


def _forgetful(self: Any, *args: Any) -> None:
    return None


@pytest.mark.hazard("E16")
@pytest.mark.bite("tidegate_kit.idempotency.DynamoIdempotencyStore.begin", replacement=_forgetful)
def test_a_key_has_one_effect_and_one_answer(caller: Caller) -> None:
    """E16: repeated, and 16 at once: one effect; the first answer, or 409 while it runs."""
    first, again = caller.post("k"), caller.post("k")
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert "idempotent-replayed" not in first.headers
    assert again.headers.get("idempotent-replayed") == "true"
    assert caller.effects == ["a"]

    outcome = race(16, lambda worker, rnd: caller.post(f"race-{rnd}", f"t{rnd}"), rounds=5)
    for rnd in outcome.rounds:
        answers = [attempt.result for attempt in rnd.attempts]
        assert {answer.status_code for answer in answers} <= {201, 409}
        assert len({answer.content for answer in answers if answer.status_code == 201}) == 1
        for answer in answers:
            if answer.status_code == 409:
                assert answer.json()["error"]["code"] == "IDEMPOTENCY_IN_FLIGHT"
                assert 1 <= int(answer.headers["retry-after"]) <= 61
        assert caller.effects.count(f"t{rnd.number}") == 1


@pytest.mark.hazard("E16")
def test_one_claim_wins_of_sixteen(store: DynamoIdempotencyStore) -> None:
    """E16: 16 claims of one key at once, 100 rounds: exactly one runs."""

    def claim(worker: int, rnd: int) -> None:
        store.begin("T#1#U#2", "POST /x", f"key-{rnd}", b"{}", f"attempt-{worker}")

    race(16, claim, rounds=100).assert_one_winner(loses_with=IdempotencyInFlight)


@pytest.mark.hazard("E17")
@pytest.mark.bite("tidegate_kit.idempotency._digest", returns="0" * 64)
def test_a_key_belongs_to_body_route_and_caller(caller: Caller, clock: FixedClock) -> None:
    """E17: another body 422; another route, user or tenant is independent."""
    first = caller.post("k")
    other_body = caller.post("k", "b")
    assert other_body.status_code == 422
    assert other_body.json()["error"]["code"] == "IDEMPOTENCY_KEY_REUSED"
    other_route = caller.post("k", "route", path="/other-effects")
    colleague = sign_in(tenant_id=caller.member.tenant_id, clock=clock)
    by_colleague = caller.post("k", "colleague", member=colleague)
    by_stranger = caller.post("k", "stranger", member=sign_in(clock=clock))
    for answer in (first, other_route, by_colleague, by_stranger):
        assert answer.status_code == 201
        assert "idempotent-replayed" not in answer.headers
    assert caller.effects == ["a", "route", "colleague", "stranger"]
    # Both spellings of the path are one route.
    assert caller.post("k", path="/api/effects/").headers["idempotent-replayed"] == "true"


@pytest.mark.hazard("H30")
@pytest.mark.bite("tidegate_kit.idempotency._IN_FLIGHT", replacement=timedelta(0))
def test_a_run_that_hangs_is_waited_for_then_taken_over(
    store: DynamoIdempotencyStore, clock: FixedClock
) -> None:
    """H30: in flight 409; after its time one other takes over; the late first changes nothing."""
    call = ("T#1#U#2", "POST /x", "key")
    assert store.begin(*call, b"{}", "first") is None
    clock.advance(seconds=59)
    with pytest.raises(IdempotencyInFlight) as waiting:
        store.begin(*call, b"{}", "second")
    assert waiting.value.headers["Retry-After"] == "2"
    clock.advance(seconds=1)
    assert store.begin(*call, b"{}", "second") is None
    store.finish(*call, "first", Kept(201, "late"))
    store.finish(*call, "first", None)
    with pytest.raises(IdempotencyInFlight):
        store.begin(*call, b"{}", "third")
    store.finish(*call, "second", Kept(201, "second's answer"))
    assert store.begin(*call, b"{}", "fourth") == Kept(201, "second's answer")


@pytest.mark.hazard("H15")
def test_an_answer_past_its_day_is_forgotten_though_still_stored(
    store: DynamoIdempotencyStore, clock: FixedClock
) -> None:
    """H15: a kept answer counts for 24 h, however long the row stays readable."""
    call = ("T#1#U#2", "POST /x", "key")
    store.begin(*call, b"{}", "first")
    store.finish(*call, "first", Kept(201, "first"))
    clock.advance(hours=24, seconds=-1)
    assert store.begin(*call, b"{}", "second") == Kept(201, "first")
    with pytest.raises(IdempotencyKeyReused):
        store.begin(*call, b"[]", "second")
    clock.advance(seconds=1)
    assert len(list(IdempotencyItem.query("T#1#U#2"))) == 1
    assert store.begin(*call, b"[]", "third") is None


def test_failures_are_not_kept_and_refusals_are(caller: Caller) -> None:
    assert caller.post("boom", "fail").status_code == 500
    assert caller.post("boom", "fail").status_code == 500
    assert caller.post("boom", "good").status_code == 201
    invalid = caller.post("empty", "")
    assert invalid.status_code == 422
    repeated = caller.post("empty", "")
    assert repeated.content == invalid.content
    assert repeated.headers["idempotent-replayed"] == "true"
    kept = {status for status in range(200, 600) if keepable(status)}
    assert {401, 403, 429, 500, 503}.isdisjoint(kept)
    assert {200, 201, 202, 400, 404, 409, 422} <= kept


def test_what_is_kept_is_encrypted(caller: Caller) -> None:
    caller.post("k", "a-text-that-shows")
    (item,) = IdempotencyItem.query(
        f"T#{caller.member.tenant_id}#U#{caller.member.user_id}",
        IdempotencyItem.sk.startswith("IDEM#"),
    )
    assert "a-text-that-shows" not in str(item.to_simple_dict())
    assert item.sealed_body is not None
    assert int(item.expires) == int((START).timestamp()) + 24 * 3600


@pytest.mark.parametrize("key", ["", "x" * 129, "a\tb", "é", "a\x7f"])
def test_a_key_is_printable_ascii(caller: Caller, key: str) -> None:
    headers = {**caller.member.headers, "Idempotency-Key": key.encode()}
    answer = caller.client.post("/effects", json={"text": "a"}, headers=headers)
    assert answer.status_code == 422
    assert caller.effects == []
    assert caller.post("~ " * 64).status_code == 201


def test_an_effect_whose_answer_cannot_be_kept_is_still_answered(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: Any) -> None:
        raise ServiceUnavailable(log="the table is throttled")

    monkeypatch.setattr(DynamoIdempotencyStore, "finish", broken)
    assert caller.post("k").status_code == 201
    assert caller.post("k").status_code == 409
    assert caller.effects == ["a"]


def test_the_effect_has_one_name_for_all_repetitions(caller: Caller, clock: FixedClock) -> None:
    failed = caller.post("k", "a").json()["value"][1]
    for item in IdempotencyItem.query(
        f"T#{caller.member.tenant_id}#U#{caller.member.user_id}",
        IdempotencyItem.sk.startswith("IDEM#"),
    ):
        item.delete()
    assert caller.post("k", "a").json()["value"][1] == failed
    assert caller.post("other", "a").json()["value"][1] != failed
    plain = caller.client.post("/effects", json={"text": "a"}, headers=caller.member.headers)
    assert plain.json()["value"][1] is None


def test_a_kept_row_that_vanishes_is_a_503(
    store: DynamoIdempotencyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = ("T#1#U#2", "POST /x", "key")
    store.begin(*call, b"{}", "first")
    monkeypatch.setattr(IdempotencyItem, "query", lambda *args, **options: iter(()))
    with pytest.raises(ServiceUnavailable):
        store.begin(*call, b"{}", "second")
