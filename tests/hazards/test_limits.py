"""Rate limits: atomic, by the gateway's view of the caller (RATE-1 to RATE-3)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from tidegate_kit.clock import FixedClock
from tidegate_kit.errors import TooManyRequests
from tidegate_kit.http import edge
from tidegate_kit.http.call import Call
from tidegate_kit.ratelimit import DynamoRateCounters, RateCounterItem, RateLimiter
from tidegate_kit.settings import Settings

from tests.builders.api import ApiClient
from tests.builders.example import example_router
from tests.builders.members import sign_in
from tests.fakes.races import race

START = datetime(2026, 1, 2, 3, 4, 30, tzinfo=UTC)
LOGIN = {"username": "a", "password": "b"}


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(START)


@pytest.fixture
def client(platform: Settings, clock: FixedClock) -> ApiClient:
    return ApiClient([example_router()], platform, clock)


@pytest.mark.hazard("C4")
@pytest.mark.bite("tidegate_kit.ratelimit.LIMITS", replacement={"A": 10**9})
def test_many_log_ins_from_one_address_are_429(client: ApiClient, clock: FixedClock) -> None:
    """C4: the eleventh log-in of a minute from one address is 429, whoever it names."""
    for number in range(10):
        answer = client.post("/login", json={**LOGIN, "username": f"user-{number}"})
        assert answer.status_code == 200
        assert answer.headers["x-ratelimit-limit"] == "10"
        assert answer.headers["x-ratelimit-remaining"] == str(9 - number)
    refused = client.post("/login", json={**LOGIN, "username": "another"})
    assert refused.status_code == 429
    assert refused.json()["error"]["code"] == "RATE_LIMITED"
    minute_end = int(START.timestamp()) + 30
    assert refused.headers["retry-after"] == "30"
    assert refused.headers["x-ratelimit-remaining"] == "0"
    assert refused.headers["x-ratelimit-reset"] == str(minute_end)
    assert refused.headers["x-ratelimit-window"] == "60"
    # Another address is not concerned, and the next minute starts anew.
    assert client.post("/login", json=LOGIN, client_ip="203.0.113.8").status_code == 200
    clock.advance(seconds=30)
    assert client.post("/login", json=LOGIN).status_code == 200


def _believing(**values: Any) -> Call:
    forged = values["headers"].get("x-forwarded-for", values["client_ip"])
    return Call(**{**values, "client_ip": forged})


@pytest.mark.hazard("C5")
@pytest.mark.bite("tidegate_kit.http.edge.Call", replacement=_believing)
def test_forged_addresses_do_not_help(client: ApiClient) -> None:
    """C5: X-Forwarded-For, Forwarded and X-Real-IP change nothing: the gateway's address counts."""
    for number in range(11):
        forged = f"198.51.100.{number}"
        headers = {"x-forwarded-for": forged, "x-real-ip": forged, "forwarded": f"for={forged}"}
        answer = client.post("/login", json=LOGIN, headers=headers)
    assert answer.status_code == 429
    assert edge.Call is not None


def _unconditional(
    self: Any, subject: str, kind: str, minute: int, limit: int, now: datetime
) -> int | None:
    item = RateCounterItem(subject, f"RATE#{kind}#{minute}")
    try:
        item.refresh(consistent_read=True)
        hits = int(item.hits)
    except RateCounterItem.DoesNotExist:
        hits = 0
    if hits >= limit:
        return None
    item.hits, item.expires = hits + 1, (minute + 2) * 60
    item.created_at = item.updated_at = now
    item.save()
    return hits + 1


@pytest.mark.hazard("C6")
@pytest.mark.bite("tidegate_kit.ratelimit.DynamoRateCounters.hit", replacement=_unconditional)
def test_the_limit_is_never_passed_concurrently(platform: Settings, clock: FixedClock) -> None:
    """C6: 16 calls at once at a limit of 5: exactly five pass, in each of 100 rounds."""
    limiter = RateLimiter(DynamoRateCounters(), clock)

    def call(worker: int, round_number: int) -> int:
        return limiter.check(f"IP#{round_number}", "A", 5).remaining

    outcome = race(16, call, rounds=100)
    outcome.assert_winners(5, loses_with=TooManyRequests)
    for rnd in outcome.rounds:
        assert sorted(attempt.result for attempt in rnd.winners) == [0, 1, 2, 3, 4]


def test_each_class_and_caller_has_its_own_count(client: ApiClient, clock: FixedClock) -> None:
    one, two = sign_in(clock=clock), sign_in(clock=clock)
    for member in (one, two):
        answer = client.get("/items", headers=member.headers)
        assert answer.headers["x-ratelimit-remaining"] == "99"
    body = {"text": "x"}
    answer = client.post("/effects", json=body, headers=one.headers)
    assert (answer.status_code, answer.headers["x-ratelimit-remaining"]) == (201, "99")
    public = client.get("/public")
    assert public.headers["x-ratelimit-limit"] == "200"
    for _ in range(99):
        client.get("/items", headers=one.headers)
    refused = client.get("/items", headers=one.headers)
    assert refused.status_code == 429
    assert client.get("/items", headers=two.headers).status_code == 200


def test_calls_without_a_token_are_counted_by_address(client: ApiClient) -> None:
    answers = [client.get("/items").status_code for _ in range(101)]
    assert answers == [401] * 100 + [429]
    assert client.get("/items", client_ip="203.0.113.99").status_code == 401


@pytest.mark.hazard("H15")
def test_a_counter_that_outlives_its_ttl_counts_for_nothing(
    client: ApiClient, clock: FixedClock
) -> None:
    """H15: counters of past minutes, still readable, do not limit the present one."""
    for _ in range(11):
        client.post("/login", json=LOGIN)
    rows = list(RateCounterItem.query("IP#203.0.113.7"))
    assert [int(row.hits) for row in rows] == [10]
    assert int(rows[0].expires) <= int(START.timestamp()) + 120
    clock.advance(minutes=60)
    answer = client.post("/login", json=LOGIN)
    assert answer.headers["x-ratelimit-remaining"] == "9"
