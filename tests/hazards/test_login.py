"""Login, registration and the browser session (C1-C18 without OAuth), and old records (H27)."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from unittest.mock import patch

import bcrypt
import httpx
import pytest
from tidegate.identity import tasks, wiring
from tidegate.identity.addresses import canonical_email, login_key
from tidegate.identity.models import LoginFailureItem
from tidegate.identity.repository.members import DynamoMembers
from tidegate.identity.service import passwords
from tidegate.identity.service.credentials import ATTEMPTS
from tidegate.identity.service.passwords import MEMORY_KIB, Passwords, Verdict
from tidegate_kit.auth.models import UserItem, user_key
from tidegate_kit.clock import FixedClock, epoch, system_clock
from tidegate_kit.dynamo import current_store
from tidegate_kit.errors import TooManyRequests
from tidegate_kit.http.edge import Edge
from tidegate_kit.http.route import _finish
from tidegate_kit.ratelimit import DynamoRateCounters, RateCounterItem, RateLimiter, RateState
from tidegate_kit.settings import Settings

from tests.builders.api import ApiClient
from tests.builders.identity import (
    ADA,
    PASSWORD,
    IdentityClient,
    bearer,
    code_of,
    cookie_header,
    cookies_of,
    store_signing_ring,
)
from tests.conftest import ROOT
from tests.fakes.cloudformation import load_template
from tests.fakes.races import race

WRONG = "not the password at all"


@pytest.fixture
def clock() -> FixedClock:
    """Now, at the start of a window of attempts, so that no run crosses from one to the next."""
    return FixedClock(datetime.fromtimestamp(epoch(system_clock()) // 900 * 900, UTC))


@pytest.fixture
def client(
    platform: Settings, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> IdentityClient:
    monkeypatch.setenv("LEGACY_BCRYPT_COST", "4")
    store_signing_ring(platform, lambda: clock() - timedelta(seconds=2))
    return IdentityClient(platform, clock=clock)


def sign_in(client: ApiClient, email: str, password: str, **options: Any) -> httpx.Response:
    return client.post("/auth/login", json={"email": email, "password": password}, **options)


def account(email: str = "ada@example.com") -> UserItem:
    found = wiring.bootstrap().accounts.find(email)
    assert found is not None
    return found.user


def set_hash(email: str, stored: str) -> None:
    user = account(email)
    user.update(actions=[UserItem.password_hash.set(stored)])


def masked(answer: httpx.Response) -> tuple[int, str, dict[str, str]]:
    """Status, body and headers without what differs between any two calls."""
    body = answer.json()
    if "error" in body:
        body["error"].update(timestamp="", request_id="")
    varying = {"x-request-id", "x-ratelimit-reset"}
    headers = {k: v for k, v in answer.headers.items() if k not in varying}
    return answer.status_code, json.dumps(body, sort_keys=True), headers


# ---- C1, C2: nothing is told --------------------------------------------------------------------


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


def counted_hashing(spent: list[str]) -> Any:
    """Note each argon2id verification and each bcrypt check."""
    argon2, checkpw = passwords._argon2.verify, bcrypt.checkpw

    class Noting:
        """The hasher, noting what it does."""

        def __getattr__(self, name: str) -> Any:
            return getattr(original, name)

        def verify(self, *args: Any) -> Any:
            spent.append("argon2")
            return argon2(*args)

    def noted(*args: Any) -> bool:
        spent.append("bcrypt")
        return checkpw(*args)

    original = passwords._argon2
    stack = patch.multiple(passwords, _argon2=Noting())
    return _Both(stack, patch.object(bcrypt, "checkpw", noted))


class _Both:
    def __init__(self, *patches: Any) -> None:
        self._patches = patches

    def __enter__(self) -> None:
        for one in self._patches:
            one.__enter__()

    def __exit__(self, *error: Any) -> None:
        for one in reversed(self._patches):
            one.__exit__(*error)


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


# ---- C3 to C6: limits ---------------------------------------------------------------------------


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


# ---- C7, C8: names and passwords ----------------------------------------------------------------

LOOK_ALIKES = [
    pytest.param("ADA@Example.COM", id="case"),
    pytest.param("ａｄａ@example.com", id="full width"),
    pytest.param("ada@example.com.", id="trailing dot"),
    pytest.param(" ada@example.com ", id="spaces"),
    pytest.param("ada@exam\u200bple.com", id="zero width"),
    pytest.param("a\u00adda@example.com", id="soft hyphen"),
    pytest.param("\u0430da@example.com", id="cyrillic"),
    pytest.param("ada@example\u3002com", id="ideographic dot"),
    pytest.param("ada＠example.com", id="full-width at"),
    pytest.param("ada@example.com\u202e", id="bidi"),
]


@pytest.mark.hazard("C7")
@pytest.mark.bite("tidegate.identity.addresses.canonical_email", lambda text: text)
@pytest.mark.parametrize("spelling", LOOK_ALIKES)
def test_look_alikes_are_one_account_or_none(spelling: str) -> None:
    """C7: a look-alike is the same identity key, or no address at all."""
    assert login_key(spelling) in {login_key("ada@example.com"), None}


@pytest.mark.hazard("C7")
@pytest.mark.parametrize("spelling", LOOK_ALIKES)
def test_no_second_account_by_spelling(client: IdentityClient, spelling: str) -> None:
    """C7: registering a look-alike is refused and takes nothing over."""
    first = client.register()
    answer = client.post("/auth/register", json={**ADA, "email": spelling})
    assert answer.status_code in (400, 422)
    assert account().id == first["id"]


@pytest.mark.hazard("C7")
def test_special_letters() -> None:
    """C7: Kelvin sign and long s fold to k and s; the dotless i is no i; +tag is its own."""
    assert canonical_email("\u212aate@example.com") == "kate@example.com"
    assert canonical_email("\u017fam@example.com") == "sam@example.com"
    for refused in ("\u0131an@example.com", "\u0130an@example.com"):
        with pytest.raises(ValueError, match="not an e-mail"):
            canonical_email(refused)
    assert canonical_email("ada+x@example.com") == "ada+x@example.com"


@pytest.mark.hazard("C8")
@pytest.mark.parametrize(
    ("password", "statuses"),
    [
        pytest.param("x" * 900_000, (401, 422), id="1 MB"),
        pytest.param("pass\0word", (401, 422), id="NUL"),
        pytest.param("é" * 100, (401,), id="200 bytes"),
        pytest.param("x" * 2000, (401,), id="2000 characters"),
        pytest.param("", (422,), id="empty"),
    ],
)
@pytest.mark.parametrize("kind", ["argon2id", "bcrypt"])
def test_hostile_passwords(
    client: IdentityClient, kind: str, password: str, statuses: tuple[int, ...]
) -> None:
    """C8: no password crashes a login, against either kind of hash."""
    client.register()
    if kind == "bcrypt":
        set_hash("ada@example.com", bcrypt.hashpw(b"other", bcrypt.gensalt(4)).decode())
    assert sign_in(client, "ada@example.com", password).status_code in statuses
    lone = '{"email":"ada@example.com","password":"\\ud800bcdefgh"}'
    answer = client.post("/auth/login", content=lone, headers={"content-type": "application/json"})
    assert answer.status_code == 422


def cut_elsewhere(password: str) -> list[bytes]:
    return [password.encode()[:40]]


@pytest.mark.hazard("C8")
@pytest.mark.bite("tidegate.identity.service.passwords._bcrypt_spellings", cut_elsewhere)
def test_long_passwords_against_old_hashes() -> None:
    """C8: an old hash knew 72 bytes; argon2id uses every byte; NFC and NFD are one password."""
    checks = Passwords(4)
    long = "é" * 40  # 80 bytes
    old = bcrypt.hashpw(long.encode()[:72], bcrypt.gensalt(4)).decode()
    assert checks.check(old, long) == Verdict(ok=True, outdated=True)
    new = checks.hash("x" * 100 + "a")
    assert checks.check(new, "x" * 100 + "a").ok
    assert not checks.check(new, "x" * 100 + "b").ok
    assert checks.check(checks.hash("cafe\u0301 au lait"), "caf\u00e9 au lait").ok
    typed_apart = bcrypt.hashpw("cafe\u0301 au lait".encode(), bcrypt.gensalt(4)).decode()
    assert checks.check(typed_apart, "cafe\u0301 au lait").ok


@pytest.mark.hazard("C8")
def test_what_is_capped_is_never_hashed() -> None:
    """C8: a password beyond the limit costs what any refusal costs."""
    checks = Passwords(4)
    stored = checks.hash("x" * 128)
    spent: list[str] = []
    with counted_hashing(spent):
        start = time.thread_time()
        assert not checks.check(stored, "x" * 10_000_000).ok
        assert time.thread_time() - start < 1
    assert sorted(spent) == ["argon2", "bcrypt"]


# ---- C9: resets ---------------------------------------------------------------------------------


def always_reset(
    self: DynamoMembers, user_id: str, reset_hash: str, new_hash: str, now: Any
) -> bool:
    return self._replace_password(user_id, new_hash, now, UserItem.pk.exists())


@pytest.mark.hazard("C9")
@pytest.mark.bite("tidegate.identity.repository.members.DynamoMembers.use_reset", always_reset)
@pytest.mark.parametrize("fault", ["used", "expired", "older", "other user", "voided", "garbage"])
def test_a_reset_token_works_once(client: IdentityClient, clock: FixedClock, fault: str) -> None:
    """C9: second use, end of life, a newer token, another user, a password change: 400."""
    client.register()
    recovery = wiring.identity(clock).recovery
    offered = recovery.offer("ada@example.com")
    assert offered is not None
    token, new = offered.token, "a new long password"
    if fault == "used":
        assert reset(client, token, new).status_code == 200
    elif fault == "expired":
        clock.advance(minutes=30)
    elif fault == "older":
        recovery.offer("ada@example.com")
    elif fault == "other user":
        other = client.register(email="bob@example.com")
        token = offer_for(other["id"], token)
    elif fault == "voided":
        body = {"current_password": PASSWORD, "new_password": new}
        headers = bearer(client.login()["access_token"])
        assert client.post("/auth/password", json=body, headers=headers).status_code == 200
    answer = reset(client, token[:-2] + "AA" if fault == "garbage" else token, "yet another one")
    assert (answer.status_code, code_of(answer)) == (400, "RESET_INVALID")
    assert sign_in(client, "ada@example.com", "yet another one").status_code == 401


def reset(client: ApiClient, token: str, new: str) -> httpx.Response:
    return client.post("/auth/password/reset", json={"token": token, "new_password": new})


def offer_for(user_id: str, token: str) -> str:
    """The same secret under another user's id."""
    from uuid import UUID

    from tidegate_kit.auth.tokens import b64url_decode, b64url_encode

    raw = b64url_decode(token)
    bob = account("bob@example.com")
    return b64url_encode(raw[:1] + UUID(bob.tenant_id).bytes + UUID(user_id).bytes + raw[33:])


@pytest.mark.hazard("C9")
def test_the_link_is_built_on_the_configured_url(
    client: IdentityClient, platform: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """C9: Host and X-Forwarded-Host change nothing in the mailed link."""
    client.register()
    poisoned = {"Host": "evil.example", "X-Forwarded-Host": "evil.example"}
    body = {"email": "ada@example.com"}
    answer = client.post("/auth/password/forgot", json=body, headers=poisoned)
    assert answer.status_code == 202
    sent: list[Any] = []

    class Recording:
        def send(self, mail: Any) -> None:
            sent.append(mail)

    monkeypatch.setattr(wiring, "mailer", Recording)
    assert tasks.send_mail({"Records": [stored_request()]}, None) == {"batchItemFailures": []}
    (mail,) = sent
    assert mail.to == "ada@example.com"
    assert f"\n  {platform.public_base_url}/reset-password#token=" in mail.body
    assert "evil" not in mail.body
    token = mail.body.split("#token=")[1].split()[0]
    assert reset(client, token, "a new long password").status_code == 200
    assert client.login(password="a new long password")


def stored_request() -> dict[str, Any]:
    """The stored reset request as a stream record."""
    found = scan("RESET#")
    return {"eventName": "INSERT", "dynamodb": {"SequenceNumber": "1", "NewImage": found[0]}}


def scan(prefix: str) -> list[dict[str, Any]]:
    store = current_store()
    request = {"TableName": store.table_name("identity"), "ConsistentRead": True}
    answer = store.connection.dispatch("Scan", request)
    return [item for item in answer["Items"] if item["pk"]["S"].startswith(prefix)]


# ---- C10 to C15: browser ------------------------------------------------------------------------


@pytest.mark.hazard("C10")
@pytest.mark.bite("tidegate_kit.http.guard.check_csrf", returns=None)
@pytest.mark.parametrize(
    "fault",
    ["no header", "wrong header", "no cookie", "other session", "foreign origin", "null origin"],
)
def test_cookie_calls_need_their_csrf_token(client: IdentityClient, fault: str) -> None:
    """C10: a state-changing cookie call without the session's own token is 403."""
    client.register()
    cookies, csrf = client.cookie_login()
    other_cookies, other = client.cookie_login()
    headers = {"X-CSRF-Token": csrf}
    if fault == "no header":
        headers = {}
    elif fault == "wrong header":
        headers = {"X-CSRF-Token": csrf[:-1] + ("A" if csrf[-1] != "A" else "B")}
    elif fault == "no cookie":
        cookies = {name: value for name, value in cookies.items() if "csrf" not in name}
    elif fault == "other session":
        headers = {"X-CSRF-Token": other}
        cookies = {**cookies, "__Host-tg_csrf": other_cookies["__Host-tg_csrf"]}
    elif fault == "foreign origin":
        headers["Origin"] = "https://evil.example"
    else:
        headers["Origin"] = "null"
    answer = client.post("/auth/logout", headers={**headers, **cookie_header(cookies)})
    assert (answer.status_code, code_of(answer)) == (403, "CSRF_FAILED")
    assert client.get("/auth/me", headers=cookie_header(cookies)).status_code == 200


@pytest.mark.hazard("C10")
@pytest.mark.bite("tidegate.identity.answers.check_csrf", returns=None)
def test_refreshing_by_cookie_needs_it_too(client: IdentityClient) -> None:
    """C10: the refresh cookie alone refreshes nothing; with the token it sets new cookies."""
    client.register()
    cookies, csrf = client.cookie_login()
    refused = client.post("/auth/refresh", headers=cookie_header(cookies))
    assert (refused.status_code, code_of(refused)) == (403, "CSRF_FAILED")
    headers = {**cookie_header(cookies), "X-CSRF-Token": csrf}
    answer = client.post("/auth/refresh", headers=headers)
    assert answer.status_code == 200
    assert set(answer.json()) == {"token_type", "expires_in", "csrf_token"}
    fresh = cookies_of(answer)
    assert fresh["__Host-tg_refresh"] != cookies["__Host-tg_refresh"]
    assert client.get("/auth/me", headers=cookie_header(fresh)).status_code == 200


@pytest.mark.hazard("C10")
@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_forms_of_other_sites_change_nothing(client: IdentityClient, kind: str) -> None:
    """C10: what a form can send without a preflight is refused, token or not."""
    client.register()
    cookies, csrf = client.cookie_login()
    content = json.dumps({"current_password": PASSWORD, "new_password": "another password"})
    headers = {**cookie_header(cookies), "Content-Type": kind}
    plain = client.post("/auth/password", content=content, headers=headers)
    assert plain.status_code == 403
    with_token = {**headers, "X-CSRF-Token": csrf}
    answer = client.post("/auth/password", content=content, headers=with_token)
    assert answer.status_code == 415


@pytest.mark.hazard("C10")
def test_bearer_calls_need_no_csrf_token(client: IdentityClient) -> None:
    """C10: a Bearer token is no ambient credential, also beside cookies."""
    tokens = client.signed_in()
    cookies, _ = client.cookie_login()
    headers = {**bearer(tokens["access_token"]), **cookie_header(cookies)}
    assert client.post("/auth/logout", headers=headers).status_code == 200
    assert client.get("/auth/me", headers=cookie_header(cookies)).status_code == 200


def reflect(self: Edge, headers: Any) -> dict[str, str]:
    return {"Access-Control-Allow-Origin": headers.get("origin", "*")}


@pytest.mark.hazard("C11")
@pytest.mark.bite("tidegate_kit.http.edge.Edge._cors", reflect)
@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example", "null", "https://app.example.com.evil.example",
        "https://evilapp.example.com", "http://app.example.com", "https://app.example.com:8443",
        "https://APP.example.com", "https://app.example.com/", "https://sub.app.example.com",
    ],
)  # fmt: skip
def test_foreign_origins(client: IdentityClient, origin: str) -> None:
    """C11: no allow header for any origin but the configured ones, spelled exactly."""
    tokens = client.signed_in()
    headers = {"Origin": origin, **bearer(tokens["access_token"])}
    plain = client.get("/auth/me", headers=headers)
    preflight = client.request(
        "OPTIONS", "/auth/login",
        headers={"Origin": origin, "Access-Control-Request-Method": "POST"},
    )  # fmt: skip
    for answer in (plain, preflight):
        assert not any(name.startswith("access-control-allow") for name in answer.headers)
        assert "origin" in answer.headers["vary"].lower()
    ours = client.get("/auth/me", headers={**headers, "Origin": "https://app.example.com"})
    assert ours.headers["access-control-allow-origin"] == "https://app.example.com"
    assert ours.headers["access-control-allow-credentials"] == "true"


def careless_cookie(name: str, value: str, max_age: int, *, http_only: bool) -> str:
    return f"{name}={value}; Domain=example.com"


@pytest.mark.hazard("C12")
@pytest.mark.bite("tidegate.identity.cookies._cookie", careless_cookie)
def test_cookie_attributes(client: IdentityClient) -> None:
    """C12: __Host- prefix, Secure, SameSite, Path=/, no Domain; tokens are HttpOnly."""
    client.register()
    answer = client.post(
        "/auth/login?session=cookie", json={"email": "ada@example.com", "password": PASSWORD}
    )
    lines = answer.headers.get_list("set-cookie")
    assert len(lines) == 3
    for line in lines:
        attributes = {part.strip().lower() for part in line.split(";")[1:]}
        assert line.startswith("__Host-tg_")
        assert {"secure", "path=/", "samesite=lax"} <= attributes
        assert not any(part.startswith("domain") for part in attributes)
        assert ("httponly" in attributes) == ("csrf" not in line.split("=")[0])
    assert "access_token" not in answer.json()
    headers = {**cookie_header(cookies_of(answer)), "X-CSRF-Token": answer.json()["csrf_token"]}
    out = client.post("/auth/logout", headers=headers)
    assert [line.count("Max-Age=0") for line in out.headers.get_list("set-cookie")] == [1, 1, 1]


def no_store_left_out(response: Any, call: Any, spec: Any) -> Any:
    finished = _finish(response, call, spec)
    if "Cache-Control" in finished.headers:
        del finished.headers["Cache-Control"]
    return finished


@pytest.mark.hazard("C14")
@pytest.mark.bite("tidegate_kit.http.route._finish", no_store_left_out)
def test_response_headers(client: IdentityClient) -> None:
    """C14: nosniff, frame deny and HSTS everywhere; no-store wherever a token is."""
    client.register()
    login = sign_in(client, "ada@example.com", PASSWORD)
    token = login.json()["access_token"]
    headers = bearer(token)
    form = {"username": "ada@example.com", "password": PASSWORD}
    invite = {"email": "bob@example.com"}
    grant = {"target_system": "analytics", "permissions": ["metrics:read"]}
    secret = [
        login,
        client.post("/token", data=form),
        client.get("/auth/csrf", headers=headers),
        client.post("/members/invitations", json=invite, headers=headers),
        client.post("/auth/cross-system-token", json=grant, headers=headers),
        client.refresh(login.json()["refresh_token"]),
    ]
    for answer in secret:
        assert answer.status_code in (200, 201), answer.text
        assert answer.headers.get("cache-control") == "no-store"
    for answer in (*secret, client.me("bad"), client.get("/nowhere")):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert "max-age=" in answer.headers["strict-transport-security"]


@pytest.mark.hazard("C15")
def test_a_login_replaces_what_came_before(client: IdentityClient) -> None:
    """C15: planted cookies are replaced, and the planted session never becomes the user's."""
    client.register()
    client.register(email="eve@example.com")
    planted, _ = client.cookie_login("eve@example.com")
    answer = client.post(
        "/auth/login?session=cookie",
        json={"email": "ada@example.com", "password": PASSWORD},
        headers=cookie_header(planted),
    )
    fresh = cookies_of(answer)
    assert set(fresh) == set(planted)
    assert all(fresh[name] != planted[name] for name in planted)
    me = client.get("/auth/me", headers=cookie_header(fresh)).json()
    eve = client.get("/auth/me", headers=cookie_header(planted)).json()
    assert (me["email"], eve["email"]) == ("ada@example.com", "eve@example.com")


# ---- C16 to C18 ---------------------------------------------------------------------------------


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


# ---- AUTH-2: failures are kept ------------------------------------------------------------------


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


# ---- H27 ----------------------------------------------------------------------------------------


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
