"""Names, passwords and their reset (C7-C9)."""

from __future__ import annotations

import time
from typing import Any

import bcrypt
import httpx
import pytest
from tidegate.identity import tasks, wiring
from tidegate.identity.addresses import canonical_email, login_key
from tidegate.identity.repository.members import DynamoMembers
from tidegate.identity.service.passwords import Passwords, Verdict
from tidegate_kit.auth.models import UserItem
from tidegate_kit.clock import FixedClock
from tidegate_kit.settings import Settings

from tests.builders.api import ApiClient
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


@pytest.fixture
def clock() -> FixedClock:
    return window_start()


@pytest.fixture
def client(
    platform: Settings, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> IdentityClient:
    return login_client(platform, clock, monkeypatch)


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
