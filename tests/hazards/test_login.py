"""Login: nothing is told, attempts are limited, old hashes and records (C1-C6, C16-C18, H27)."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from unittest.mock import patch

import bcrypt
import httpx
import pytest
from tidegate.identity.models import LoginFailureItem
from tidegate.identity.service.credentials import ATTEMPTS
from tidegate.identity.service.passwords import MEMORY_KIB, Passwords, Verdict
from tidegate_kit.auth.models import UserItem, user_key
from tidegate_kit.clock import FixedClock
from tidegate_kit.dynamo import current_store
from tidegate_kit.errors import TooManyRequests
from tidegate_kit.ratelimit import DynamoRateCounters, RateCounterItem, RateLimiter, RateState
from tidegate_kit.settings import Settings

from tests.builders.identity import (
    ADA,
    PASSWORD,
    IdentityClient,
    bearer,
    code_of,
)
from tests.builders.login import (
    account,
    counted_hashing,
    login_client,
    scan,
    set_hash,
    sign_in,
    window_start,
)
from tests.conftest import ROOT
from tests.fakes.cloudformation import load_template
from tests.fakes.races import race

WRONG = "not the password at all"


@pytest.fixture
def clock() -> FixedClock:
    return window_start()


@pytest.fixture
def client(
    platform: Settings, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> IdentityClient:
    return login_client(platform, clock, monkeypatch)


def masked(answer: httpx.Response) -> tuple[int, str, dict[str, str]]:
    """Status, body and headers without what differs between any two calls."""
    body = answer.json()
    if "error" in body:
        body["error"].update(timestamp="", request_id="")
    varying = {"x-request-id", "x-ratelimit-reset"}
    headers = {k: v for k, v in answer.headers.items() if k not in varying}
    return answer.status_code, json.dumps(body, sort_keys=True), headers


def early_exit(self: Passwords, stored: str | None, password: str) -> Verdict:
    if stored is None or stored.startswith("$2"):
        return Verdict(ok=False)
    return Verdict(ok=self._check_argon2(stored, password).ok)


@pytest.mark.hazard("C1")
@pytest.mark.bite("tidegate.identity.service.passwords.Passwords.check", early_exit)
def test_refusals_cost_the_same(client: IdentityClient) -> None:
    """C1: unknown, wrong, and wrong for an old bcrypt account: same answer, same hashing."""
    client.register()
    client.register(email="old@example.com")
    set_hash("old@example.com", bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode())
    answers, costs = [], []
    for name in ("nobody@example.com", "ada@example.com", "old@example.com", "nobody", "x@"):
        spent: list[str] = []
        with counted_hashing(spent):
            key = "email" if "@" in name else "username"
            body = {key: name, "password": WRONG}
            answers.append(masked(client.post("/auth/login", json=body)))
        costs.append(sorted(spent))
    assert len({str(answer) for answer in answers}) == 1
    assert answers[0][0] == 401
    assert costs == [["argon2", "bcrypt"]] * 5


def medians(operations: Mapping[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Median processor time of each, measured in turns so that noise hits all alike."""
    times: dict[str, list[float]] = {name: [] for name in operations}
    for _ in range(rounds):
        for name, operation in operations.items():
            start = time.thread_time()
            operation()
            times[name].append(time.thread_time() - start)
    return {name: statistics.median(values) for name, values in times.items()}


@pytest.mark.hazard("C1")
@pytest.mark.bite("tidegate.identity.service.passwords.Passwords.check", early_exit)
def test_medians_differ_by_less_than_a_twentieth() -> None:
    """C1: the processor time of a refusal says nothing about the account."""
    cost = 10
    checks = Passwords(cost)
    stored = {
        "unknown": None,
        "argon2id": checks.hash(PASSWORD),
        "bcrypt": bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(cost)).decode(),
    }
    operations = {name: partial(checks.check, value, WRONG) for name, value in stored.items()}
    # A shared machine may disturb one series; the property holds if any of three is clean.
    spreads = []
    for _ in range(3):
        found = medians(operations, 15)
        spreads.append(max(found.values()) / min(found.values()) - 1)
        if spreads[-1] < 0.05:
            break
    assert min(spreads) < 0.05, spreads


@pytest.mark.hazard("C2")
def test_known_and_unknown_addresses_look_alike(client: IdentityClient) -> None:
    """C2: forgot answers alike and writes one row; a taken address costs a hash as well."""
    client.register()
    answers = [
        masked(client.post("/auth/password/forgot", json={"email": email}))
        for email in ("ada@example.com", "nobody@example.com")
    ]
    assert answers[0] == answers[1]
    assert answers[0][0] == 202
    hashed: list[str] = []

    def noted(self: Passwords, password: str) -> str:
        hashed.append(password)
        return "$argon2id$x"

    with patch.object(Passwords, "hash", noted):
        taken = client.post("/auth/register", json=ADA)
        fresh = client.post("/auth/register", json={**ADA, "email": "new@example.com"})
    assert (taken.status_code, code_of(taken)) == (400, "EMAIL_ALREADY_REGISTERED")
    assert fresh.status_code == 201
    assert len(hashed) == 2
    assert "ada" not in taken.text


@pytest.mark.hazard("C2")
def test_an_invitation_tells_nothing_of_other_organisations(client: IdentityClient) -> None:
    """C2: an address known elsewhere is invited like an unknown one."""
    owner = client.signed_in()["access_token"]
    client.register(email="else@example.com")
    bodies = [
        client.post("/members/invitations", json={"email": email}, headers=bearer(owner))
        for email in ("else@example.com", "nobody@example.com")
    ]
    assert [answer.status_code for answer in bodies] == [201, 201]
    assert set(bodies[0].json()) == set(bodies[1].json())


@pytest.mark.hazard("C3")
@pytest.mark.bite("tidegate.identity.repository.logins.GlobalLogins.take", returns=True)
def test_guessing_is_limited_and_locks_nobody_out(
    client: IdentityClient, clock: FixedClock
) -> None:
    """C3: 20 wrong guesses from one IP end in 429 for that IP; the owner signs in elsewhere."""
    client.register()
    guesser, answers = "203.0.113.66", []
    for number in range(ATTEMPTS + 1):
        if number % 10 == 0:
            clock.advance(minutes=1)  # the limit of an address alone is ten a minute
        answers.append(sign_in(client, "ada@example.com", WRONG, client_ip=guesser))
    assert [answer.status_code for answer in answers] == [401] * ATTEMPTS + [429]
    assert int(answers[-1].headers["retry-after"]) > 60
    right = sign_in(client, "ADA@example.com", PASSWORD, client_ip=guesser)
    assert right.status_code == 429
    assert sign_in(client, "ada@example.com", PASSWORD).status_code == 200
    clock.advance(minutes=15)
    assert sign_in(client, "ada@example.com", PASSWORD, client_ip=guesser).status_code == 200


@pytest.mark.hazard("C3")
def test_a_success_forgets_the_failures(client: IdentityClient, clock: FixedClock) -> None:
    """C3: people who mistype now and then never run into the limit."""
    client.register()
    for _ in range(6):
        clock.advance(minutes=1)
        for _ in range(4):
            assert sign_in(client, "ada@example.com", WRONG, client_ip="203.0.113.5")
        right = sign_in(client, "ada@example.com", PASSWORD, client_ip="203.0.113.5")
        assert right.status_code == 200


def no_limit(self: RateLimiter, subject: str, kind: str, limit: int | None = None) -> RateState:
    return RateState(10, 9, 0)


@pytest.mark.hazard("C4")
@pytest.mark.bite("tidegate_kit.ratelimit.RateLimiter.check", no_limit)
def test_credential_stuffing(client: IdentityClient) -> None:
    """C4: many names from one address: ten a minute, then 429 with Retry-After and limits."""
    answers = [
        sign_in(client, f"user{number}@example.com", WRONG, client_ip="203.0.113.66")
        for number in range(12)
    ]
    assert [answer.status_code for answer in answers] == [401] * 10 + [429] * 2
    headers = answers[-1].headers
    assert 1 <= int(headers["retry-after"]) <= 60
    assert (headers["x-ratelimit-limit"], headers["x-ratelimit-remaining"]) == ("10", "0")
    assert int(headers["x-ratelimit-reset"]) % 60 == 0
    assert headers["x-ratelimit-window"] == "60"


@pytest.mark.hazard("C5")
@pytest.mark.bite("tidegate_kit.ratelimit.RateLimiter.check", no_limit)
@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "True-Client-IP"])
def test_spoofed_addresses(client: IdentityClient, header: str) -> None:
    """C5: the gateway's source address counts, whatever the headers say."""
    statuses = [
        sign_in(
            client, f"user{number}@example.com", WRONG,
            client_ip="203.0.113.66", headers={header: f"198.51.100.{number}"},
        ).status_code
        for number in range(11)
    ]  # fmt: skip
    assert statuses == [401] * 10 + [429]


def read_then_write(
    self: DynamoRateCounters, subject: str, kind: str, minute: int, limit: int, now: Any
) -> int | None:
    sk = f"RATE#{kind}#{minute}"
    found = list(RateCounterItem.query(subject, RateCounterItem.sk == sk))
    hits = int(found[0].hits) if found else 0
    if hits >= limit:
        return None
    RateCounterItem(
        subject, sk, hits=hits + 1, expires=2_000_000_000, created_at=now, updated_at=now
    ).save()
    return hits + 1


@pytest.mark.hazard("C6")
@pytest.mark.bite("tidegate_kit.ratelimit.DynamoRateCounters.hit", read_then_write)
def test_parallel_calls_never_pass_the_limit(platform: Settings) -> None:
    """C6: of sixteen calls at once at a limit of ten, exactly ten are accepted."""
    limiter = RateLimiter(DynamoRateCounters(), FixedClock())
    outcome = race(16, lambda worker, rnd: limiter.check(f"IP#{rnd}", "A"), rounds=10)
    strays = [e for r in outcome.rounds for e in r.errors if not isinstance(e, TooManyRequests)]
    assert strays == []
    assert [len(rnd.winners) for rnd in outcome.rounds] == [10] * 10


@pytest.mark.hazard("C16")
@pytest.mark.bite(
    "tidegate.identity.service.passwords.Passwords._check_bcrypt", returns=Verdict(ok=False)
)
@pytest.mark.parametrize("prefix", ["$2a$", "$2b$", "$2y$"])
def test_old_hashes_are_upgraded(client: IdentityClient, prefix: str) -> None:
    """C16: an old hash verifies and is argon2id after that login; a wrong password changes none."""
    client.register()
    old = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode().replace("$2b$", prefix)
    set_hash("ada@example.com", old)
    assert sign_in(client, "ada@example.com", WRONG).status_code == 401
    assert account().password_hash == old
    assert sign_in(client, "ada@example.com", PASSWORD).status_code == 200
    assert account().password_hash.startswith("$argon2id$")
    assert sign_in(client, "ada@example.com", PASSWORD).status_code == 200


@pytest.mark.hazard("C16")
@pytest.mark.parametrize(
    "stored",
    ["!", "", "$2b$", "$2b$99$x", "$2b$04$tooshort", "$argon2id$broken", "$5$sha", "md5", "é",
     "$2b$04$" + "é" * 53],
)  # fmt: skip
def test_unreadable_hashes(
    client: IdentityClient, caplog: pytest.LogCaptureFixture, stored: str
) -> None:
    """C16: a hash that nobody can read is 401 and an alert, never 500."""
    client.register()
    set_hash("ada@example.com", stored or " ")
    assert sign_in(client, "ada@example.com", PASSWORD).status_code == 401
    alerts = [record for record in caplog.records if "cannot be read" in record.message]
    assert [record.levelname for record in alerts] == ["ERROR"]


@pytest.mark.hazard("C17")
@pytest.mark.bite("tidegate_kit.ratelimit.RateLimiter.check", no_limit)
def test_limits_come_before_hashing(client: IdentityClient) -> None:
    """C17: of 64 logins at once, no more are hashed than the limit lets through."""
    spent: list[str] = []
    original = Passwords.check

    def counted(self: Passwords, stored: str | None, password: str) -> Verdict:
        spent.append("hash")
        return original(self, stored, password) if len(spent) <= 10 else Verdict(ok=False)

    with patch.object(Passwords, "check", counted):
        outcome = race(
            16,
            lambda worker, rnd: (
                sign_in(client, "ada@example.com", WRONG, client_ip="203.0.113.66").status_code
            ),
            rounds=4,
        )
    statuses = [attempt.result for rnd in outcome.rounds for attempt in rnd.attempts]
    assert len(spent) <= 10
    assert set(statuses) <= {401, 429}
    assert statuses.count(401) <= 10


@pytest.mark.hazard("C17")
def test_hashing_fits_the_function() -> None:
    """C17: a Lambda environment answers one call at a time, and one hash fits its memory."""
    template = load_template(ROOT / "template.yaml")
    default = template["Globals"]["Function"]["MemorySize"]
    own = template["Resources"]["IdentityFunction"]["Properties"].get("MemorySize", default)
    assert own / 8 >= MEMORY_KIB / 1024


def echo(problem: Any) -> str:
    return f"{problem['input']} is not valid"


@pytest.mark.hazard("C18")
@pytest.mark.bite("tidegate_kit.http.problem._sentence", echo)
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/auth/register", {**ADA, "password": "short-7"}),
        ("/auth/register", {**ADA, "email": "hunter2-secret"}),
        ("/auth/login", {"email": 7, "password": ["hunter2-secret"]}),
        ("/auth/password/reset", {"token": "t", "new_password": "short-7"}),
    ],
)
def test_refused_values_are_not_echoed(
    client: IdentityClient, path: str, body: dict[str, Any]
) -> None:
    """C18: a validation error names field and rule, never the value."""
    answer = client.post(path, json=body)
    assert (answer.status_code, code_of(answer)) == (422, "VALIDATION_ERROR")
    assert answer.json()["error"]["details"]
    for secret in ("short-7", "hunter2"):
        assert secret not in answer.text


def test_refused_logins_are_kept_for_the_audit(client: IdentityClient) -> None:
    client.register()
    sign_in(client, "ada@example.com", WRONG, client_ip="203.0.113.8")
    user = account()
    (kept,) = LoginFailureItem.query(user.pk, LoginFailureItem.sk.startswith("FAILURE#"))
    assert (kept.ip, kept.path, kept.status, kept.code, kept.user_id) == (
        "203.0.113.8", "POST /auth/login", 401, "INVALID_CREDENTIALS", user.id,
    )  # fmt: skip
    sign_in(client, "nobody@example.com", WRONG)
    (unknown,) = scan("LOGIN_FAILURES#")
    assert "nobody" not in json.dumps(unknown)


def no_upgrade(cls: type[UserItem], data: dict[str, Any]) -> dict[str, Any]:
    return data


@pytest.mark.hazard("H27")
@pytest.mark.bite("tidegate_kit.auth.models.UserItem.upgrade", no_upgrade)
def test_a_user_of_an_earlier_version_signs_in(client: IdentityClient) -> None:
    """H27: missing attributes are filled on read, unknown ones ignored; never a 500."""
    client.register()
    user = account()
    store = current_store()
    removed = ("tokens_valid_from", "is_active", "roles", "schema_version", "last_name")
    names = {f"#{i}": name for i, name in enumerate(removed)}
    store.connection.dispatch(
        "UpdateItem",
        {
            "TableName": store.table_name("identity"),
            "Key": {"pk": {"S": user.pk}, "sk": {"S": user_key(user.id)}},
            "UpdateExpression": f"REMOVE {', '.join(names)} SET favourite = :f",
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": {":f": {"S": "blue"}},
        },
    )
    answer = sign_in(client, "ada@example.com", PASSWORD)
    assert answer.status_code == 200
    me = client.me(answer.json()["access_token"]).json()
    assert (me["roles"], me["is_active"], me["last_name"]) == (["user"], True, "")
