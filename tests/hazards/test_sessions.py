"""Sessions, refresh tokens, signing ring and cross-system tokens through the pipeline (A11-A28)."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import boto3
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from tidegate.identity import opaque, wiring
from tidegate.identity.keys import KeyVault, PrivateKey, new_private_key
from tidegate.identity.repository.sessions import DynamoSessions
from tidegate.identity.service.credentials import Proved, Source
from tidegate_kit.auth.authenticate import DynamoMemberStore, load_public_keys
from tidegate_kit.auth.models import (
    SessionItem,
    SigningKeyItem,
    TenantItem,
    UserItem,
    user_key,
)
from tidegate_kit.auth.permissions import ALL_PERMISSIONS, ANY_USER
from tidegate_kit.auth.tokens import Claims, b64url_decode, b64url_encode
from tidegate_kit.clock import FixedClock, system_clock
from tidegate_kit.errors import ServiceUnavailable
from tidegate_kit.http import ApiModel, CurrentCall, Router
from tidegate_kit.settings import Settings
from tidegate_kit.tenancy import UserScope

from tests.builders.identity import (
    PASSWORD,
    IdentityClient,
    bearer,
    code_of,
    store_signing_ring,
)
from tests.builders.members import KID, PRIVATE_KEY, claims_for, sign, sign_in
from tests.fakes.races import race

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


class Thing(ApiModel):
    id: str


def admin_router() -> Router:
    router = Router("example")

    @router.get("/admin-only", permission="admin:read")
    def admin_only(call: CurrentCall) -> Thing:
        return Thing(id="x")

    @router.post("/anything", permission=ANY_USER)
    def anything(call: CurrentCall) -> Thing:
        return Thing(id="x")

    return router


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(system_clock())


@pytest.fixture
def client(
    platform: Settings, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> IdentityClient:
    monkeypatch.setenv("LEGACY_BCRYPT_COST", "4")
    store_signing_ring(platform, lambda: clock() - timedelta(seconds=2))
    return IdentityClient(platform, admin_router(), clock=clock)


def claims_of(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims


def user_of(token: str) -> UserItem:
    claims = claims_of(token)
    return UserItem.get(f"T#{claims['tid']}", user_key(claims["sub"]), consistent_read=True)


# ---- A11: kinds ---------------------------------------------------------------------------------


@pytest.mark.hazard("A11")
def test_kinds_of_tokens_are_never_swapped(client: IdentityClient) -> None:
    """A11: refresh, reset, invitation and cross-system tokens open nothing but their own door."""
    tokens = client.signed_in()
    recovery = wiring.identity(client_clock(client)).recovery
    offered = recovery.offer("ada@example.com")
    assert offered is not None
    invitation = client.invited(tokens["access_token"], "bob@example.com")
    granted = client.post(
        "/auth/cross-system-token",
        json={"target_system": "analytics", "permissions": ["metrics:read"]},
        headers=bearer(tokens["access_token"]),
    ).json()["token"]
    others = {
        "refresh": tokens["refresh_token"], "reset": offered.token, "invitation": invitation,
        "cross-system": granted,
    }  # fmt: skip
    for kind, token in others.items():
        assert client.me(token).status_code == 401, kind
        if kind != "refresh":
            assert client.refresh(token).status_code == 401, kind
        if kind != "reset":
            body = {"token": token, "new_password": "another password"}
            assert code_of(client.post("/auth/password/reset", json=body)) == "RESET_INVALID"
    # An access token in the place of a refresh token's body is none.
    in_body = {"refresh_token": tokens["access_token"]}
    assert client.post("/auth/refresh", json=in_body).status_code == 401
    assert client.refresh(tokens["refresh_token"]).status_code == 200


@pytest.mark.hazard("A11")
def test_an_access_token_renews_once_and_never_after_logout(client: IdentityClient) -> None:
    """A11: an access token renews only itself, once, and not after logout."""
    token = client.signed_in()["access_token"]
    renewed = client.refresh(token)
    assert set(renewed.json()) == {"access_token", "token_type", "expires_in"}
    assert client.me(renewed.json()["access_token"]).status_code == 200
    assert client.refresh(token).status_code == 401
    fresh = renewed.json()["access_token"]
    client.post("/auth/logout", headers=bearer(fresh))
    assert client.refresh(fresh).status_code == 401


def client_clock(client: IdentityClient) -> Any:
    return client.app._clock  # type: ignore[attr-defined]


# ---- A13 to A15: ended sessions -----------------------------------------------------------------


@pytest.mark.hazard("A13")
@pytest.mark.bite("tidegate_kit.auth.authenticate.check_member", returns=None, cases=("disabled",))
@pytest.mark.parametrize("how", ["disabled", "deleted"])
def test_a_disabled_or_deleted_user(client: IdentityClient, how: str) -> None:
    """A13: his token is refused at the next request."""
    owner = client.signed_in()
    bob = client.member(owner["access_token"], "bob@example.com")
    path = f"/members/{claims_of(bob['access_token'])['sub']}"
    headers = bearer(owner["access_token"])
    if how == "disabled":
        changed = client.patch(path, json={"is_active": False}, headers=headers)
        assert changed.json()["is_active"] is False
    else:
        assert client.delete(path, headers=headers).status_code == 200
    assert client.me(bob["access_token"]).status_code == 401
    assert client.refresh(bob["refresh_token"]).status_code == 401


@pytest.mark.hazard("A14")
@pytest.mark.bite("tidegate_kit.auth.authenticate.check_member", returns=None)
@pytest.mark.parametrize("everywhere", [False, True])
def test_logout_ends_every_token(
    client: IdentityClient, platform: Settings, clock: FixedClock, everywhere: bool
) -> None:
    """A14: access and refresh tokens are refused at once, also by another process."""
    client.register()
    first, second = client.login(), client.login()
    clock.advance(seconds=1)
    path = "/auth/logout?all=true" if everywhere else "/auth/logout"
    answer = client.post(path, headers=bearer(first["access_token"]))
    assert answer.json()["sessions_revoked"] == (2 if everywhere else 1)
    other_process = IdentityClient(platform, clock=clock)
    assert other_process.me(first["access_token"]).status_code == 401
    assert other_process.refresh(first["refresh_token"]).status_code == 401
    assert other_process.me(second["access_token"]).status_code == (401 if everywhere else 200)


@pytest.mark.hazard("A15")
@pytest.mark.bite("tidegate_kit.auth.authenticate.check_member", returns=None)
@pytest.mark.parametrize("change", ["password", "reset", "role", "ownership"])
def test_older_sessions_end_with_a_change(
    client: IdentityClient, clock: FixedClock, change: str
) -> None:
    """A15: every session older than the change is refused; the next one works at once."""
    owner = client.signed_in()
    bob = client.member(owner["access_token"], "bob@example.com")
    clock.advance(microseconds=1)
    path = f"/members/{claims_of(bob['access_token'])['sub']}"
    new = PASSWORD
    if change == "password":
        new = "a new long password"
        body = {"current_password": PASSWORD, "new_password": new}
        answer = client.post("/auth/password", json=body, headers=bearer(bob["access_token"]))
    elif change == "reset":
        new = "a new long password"
        offered = wiring.identity(clock).recovery.offer("bob@example.com")
        assert offered is not None
        body = {"token": offered.token, "new_password": new}
        answer = client.post("/auth/password/reset", json=body)
    else:
        wish: dict[str, Any] = {"roles": ["client"]} if change == "role" else {"is_owner": True}
        answer = client.patch(path, json=wish, headers=bearer(owner["access_token"]))
    assert answer.status_code == 200, answer.text
    assert client.me(bob["access_token"]).status_code == 401
    assert client.refresh(bob["refresh_token"]).status_code == 401
    again = client.login("bob@example.com", new)
    assert client.me(again["access_token"]).status_code == 200


# ---- A16 to A18: refresh ------------------------------------------------------------------------


@pytest.mark.hazard("A16")
@pytest.mark.bite("tidegate.identity.repository.sessions.DynamoSessions.revoke", returns=True)
def test_a_reused_refresh_token_ends_its_family(
    client: IdentityClient, caplog: pytest.LogCaptureFixture
) -> None:
    """A16: reuse is 401 REFRESH_REUSED, ends the whole family, and is a security event."""
    tokens = client.signed_in()
    second = client.refresh(tokens["refresh_token"]).json()
    third = client.refresh(second["refresh_token"]).json()
    reused = client.refresh(tokens["refresh_token"])
    assert (reused.status_code, code_of(reused)) == (401, "REFRESH_REUSED")
    assert "security event" in caplog.text
    for token in (third["refresh_token"], second["refresh_token"]):
        assert client.refresh(token).status_code == 401
    for pair in (tokens, second, third):
        assert client.me(pair["access_token"]).status_code == 401


@pytest.mark.hazard("A16")
def test_a_guessed_secret_ends_nothing(client: IdentityClient) -> None:
    """A16: ids alone are no proof, so a forged refresh token cannot log its victim out."""
    tokens = client.signed_in()
    claims = claims_of(tokens["access_token"])
    forged = opaque.mint("refresh", (claims["tid"], claims["sub"], claims["sid"]), b"\0" * 32)
    assert code_of(client.refresh(forged)) == "TOKEN_INVALID"
    assert client.me(tokens["access_token"]).status_code == 200
    assert client.refresh(tokens["refresh_token"]).status_code == 200


def rotate_without_condition(
    self: DynamoSessions, session_id: str, old_hash: str, new_hash: str, now: datetime
) -> bool:
    item = self._item(session_id)
    item.update(actions=[SessionItem.refresh_hash.set(new_hash)])
    self._spent(f"ROTATED#{old_hash}", session_id, 2_000_000_000, now).save()
    return True


@pytest.mark.hazard("A17")
@pytest.mark.bite(
    "tidegate.identity.repository.sessions.DynamoSessions.rotate", rotate_without_condition
)
def test_concurrent_refreshes_make_one_pair(platform: Settings) -> None:
    """A17: of eight concurrent refreshes one gets a pair, and no second family lives."""
    store_signing_ring(platform)
    services = wiring.identity()
    user = stored_user()
    issued: dict[int, Any] = {}

    def setup(number: int) -> None:
        issued[number] = services.sessions.open(Proved(user, None), Source("ip", "ua", "path"))

    def refresh(worker: int, number: int) -> str:
        presented = services.sessions.present(issued[number].refresh_token)
        return services.sessions.rotate(presented).refresh_token

    outcome = race(8, refresh, rounds=20, setup=setup)
    counts = [len(rnd.winners) for rnd in outcome.rounds]
    assert counts == [1] * 20, f"winners per round: {counts}"
    for rnd in outcome.rounds:
        assert {error.code for error in rnd.errors} <= {  # type: ignore[attr-defined]
            "REFRESH_REUSED", "SESSION_REVOKED",
        }  # fmt: skip
        (winner,) = rnd.winners
        session = services.sessions.present(winner.result).session
        assert session.revoked_at is not None


@pytest.mark.slow
@pytest.mark.hazard("A17")
def test_concurrent_refreshes_make_one_pair_every_time(platform: Settings) -> None:
    """A17: the same, a hundred rounds."""
    store_signing_ring(platform)
    services = wiring.identity()
    user = stored_user()
    sessions = DynamoSessions(UserScope(user.tenant_id, user.id))
    issued: dict[int, Any] = {}

    def setup(number: int) -> None:
        issued[number] = services.sessions.open(Proved(user, None), Source("ip", "ua", "path"))

    def rotate(worker: int, number: int) -> None:
        session = issued[number].session
        now = system_clock()
        old = opaque.digest(issued[number].refresh_token)
        if not sessions.rotate(session.id, old, f"new-{worker}", now):
            raise LookupError("lost")

    race(8, rotate, rounds=100, setup=setup).assert_one_winner(loses_with=LookupError)


def stored_user() -> UserItem:
    member = sign_in()
    return UserItem.get(f"T#{member.tenant_id}", user_key(member.user_id))


@pytest.mark.hazard("A18")
@pytest.mark.bite("tidegate_kit.auth.authenticate.check_session", returns=None)
def test_idle_sessions_expire(client: IdentityClient, clock: FixedClock) -> None:
    """A18: 24 hours without use end a session; use at hour 23 keeps it."""
    tokens = client.signed_in()
    clock.advance(hours=23)
    tokens = client.refresh(tokens["refresh_token"]).json()
    clock.advance(hours=23)
    tokens = client.refresh(tokens["refresh_token"]).json()
    clock.advance(hours=24)
    late = client.refresh(tokens["refresh_token"])
    assert (late.status_code, code_of(late)) == (401, "SESSION_EXPIRED")


@pytest.mark.hazard("A18")
@pytest.mark.bite("tidegate_kit.auth.authenticate.check_session", returns=None)
def test_rotation_never_moves_the_absolute_end(client: IdentityClient, clock: FixedClock) -> None:
    """A18: used every hour, a session still ends 30 days after its login."""
    tokens = client.signed_in()
    start = clock()
    while clock() < start + timedelta(days=30) - timedelta(hours=20):
        clock.advance(hours=20)
        answer = client.refresh(tokens["refresh_token"])
        assert answer.status_code == 200
        tokens = answer.json()
    clock.now = start + timedelta(days=30)
    late = client.refresh(tokens["refresh_token"])
    assert (late.status_code, code_of(late)) == (401, "SESSION_EXPIRED")


@pytest.mark.hazard("A18")
def test_any_authenticated_call_is_use(client: IdentityClient, clock: FixedClock) -> None:
    """A18: calls alone keep the session alive, and renewing works at hour 23."""
    token = client.signed_in()["access_token"]
    for _ in range(46):
        clock.advance(minutes=30)
        token = client.refresh(token).json()["access_token"]
    assert client.me(token).status_code == 200


# ---- A19, A21 -----------------------------------------------------------------------------------


def believe_claims(self: DynamoMemberStore, claims: Claims) -> Any:
    """A hole: whoever has a right signature is an admin of the tenant he names."""
    from tidegate_kit.auth.authenticate import Member

    user = UserItem(
        "T#x", "USER#x", id=claims.user_id, tenant_id=claims.tenant_id, email="e", is_active=True,
        is_owner=True, roles={"admin"}, tokens_valid_from=claims.issued_at,
        username=None, first_name="", last_name="", company="",
    )  # fmt: skip
    tenant = TenantItem("T#x", "TENANT", id=claims.tenant_id, is_active=True, list_key=b"k" * 32)
    return Member(tenant, user, None)


@pytest.mark.hazard("A19")
@pytest.mark.bite("tidegate_kit.auth.authenticate.DynamoMemberStore.find", believe_claims)
def test_membership_comes_from_the_store(client: IdentityClient, clock: FixedClock) -> None:
    """A19: a role or tenant in the token, even a rightly signed one, decides nothing."""
    member, other = sign_in(clock=clock), sign_in(clock=clock)
    now = clock()
    stale = sign(claims_for(
        member.tenant_id, member.user_id, member.session_id, member.email, now, role="admin"
    ))  # fmt: skip
    assert client.get("/admin-only", headers=bearer(stale)).status_code == 403
    moved = sign(claims_for(other.tenant_id, member.user_id, member.session_id, member.email, now))
    assert client.me(moved).status_code == 401
    borrowed = sign(
        claims_for(member.tenant_id, member.user_id, other.session_id, member.email, now)
    )
    assert client.me(borrowed).status_code == 401


@pytest.mark.hazard("A21")
@pytest.mark.parametrize("name", ["token", "access_token", "authorization", "Authorization"])
def test_a_token_in_the_query_string(client: IdentityClient, name: str) -> None:
    """A21: is no credential."""
    token = client.signed_in()["access_token"]
    answer = client.get(f"/auth/me?{name}={token}")
    assert (answer.status_code, code_of(answer)) == (401, "AUTHENTICATION_REQUIRED")


# ---- A20, A23, A28: keys ------------------------------------------------------------------------


def publish(key: PrivateKey, status: str = "published") -> None:
    x, y = key.coordinates
    SigningKeyItem(
        "SIGNING_KEYS", f"KEY#{key.kid}", kid=key.kid, x=x, y=y, status=status,
        active_from=key.active_from, retire_after=key.retire_after,
        created_at=key.active_from, updated_at=key.active_from,
    ).save()  # fmt: skip


@pytest.mark.hazard("A20")
@pytest.mark.bite("tidegate_kit.auth.tokens.PublicKey.verifies_at", returns=True)
@pytest.mark.parametrize("end", ["retired", "compromised"])
def test_a_key_stops_verifying(client: IdentityClient, clock: FixedClock, end: str) -> None:
    """A20: a retired key verifies to the end of its grace, a compromised one no longer."""
    member = sign_in(clock=clock)
    item = SigningKeyItem.get("SIGNING_KEYS", f"KEY#{KID}")
    grace = clock() + timedelta(minutes=10)
    item.update(actions=[SigningKeyItem.retire_after.set(grace)])
    if end == "compromised":
        item.update(actions=[SigningKeyItem.status.set("compromised")])
        assert client.me(member.token).status_code == 401
        return
    assert client.me(member.token).status_code == 200
    clock.now = grace
    assert client.me(member.token).status_code == 200
    clock.advance(seconds=1)
    assert client.me(member.token).status_code == 401


@pytest.mark.hazard("A20")
def test_only_the_active_key_signs(
    platform: Settings, client: IdentityClient, clock: FixedClock
) -> None:
    """A20: a published key signs nothing before its time, and alone from then on."""
    client.register()
    coming = new_private_key("test", clock() + timedelta(hours=2))
    publish(coming)
    present = PrivateKey(KID, PRIVATE_KEY, clock() - timedelta(days=1), None, "test")
    write_ring(platform, present, coming)

    def kid_now() -> str:
        token = client.login()["access_token"]
        assert client.me(token).status_code == 200
        kid: str = jwt.get_unverified_header(token)["kid"]
        return kid

    assert kid_now() == KID
    clock.advance(hours=2, seconds=-1)
    assert kid_now() == KID
    clock.advance(seconds=1)
    assert kid_now() == coming.kid


def write_ring(settings: Settings, *keys: PrivateKey) -> None:
    text = json.dumps({"keys": [key.as_json() for key in keys]})
    boto3.client("secretsmanager", region_name=settings.aws_region).put_secret_value(
        SecretId=settings.signing_key_ref, SecretString=text
    )


def any_ring(secret: str, stage: str) -> list[PrivateKey]:
    return [PrivateKey(KID, PRIVATE_KEY, system_clock() - timedelta(days=1), None, stage)]


def first_key(ring: list[PrivateKey], published: Any, now: datetime) -> PrivateKey:
    return PrivateKey(KID, PRIVATE_KEY, now, None, "test")


def pem_of(key: Any) -> str:
    octets = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    text: str = octets.decode()
    return text


def faulty_rings() -> dict[str, str]:
    now = system_clock() - timedelta(days=1)
    good = PrivateKey(KID, PRIVATE_KEY, now, None, "test").as_json()
    other = PrivateKey(KID, ec.generate_private_key(ec.SECP256R1()), now, None, "test").as_json()
    later = PrivateKey(KID, PRIVATE_KEY, now + timedelta(days=9), None, "test").as_json()
    wrong_curve = {**good, "private_pem": pem_of(ec.generate_private_key(ec.SECP384R1()))}
    no_curve = {**good, "private_pem": pem_of(rsa.generate_private_key(65537, 2048))}
    rings: dict[str, list[dict[str, Any]]] = {
        "use empty": [],
        "use not active": [later],
        "use unpublished": [{**good, "kid": "never-published"}],
        "use mismatch": [other],
        "form curve": [wrong_curve],
        "form rsa": [no_curve],
        "form twice": [good, good],
        "form stage": [{**good, "stage": "production"}],
        "form no pem": [{"kid": KID}],
    }
    texts = {name: json.dumps({"keys": keys}) for name, keys in rings.items()}
    return {**texts, "form no json": "-----BEGIN", "form list": "[]"}


@pytest.mark.hazard("A23")
@pytest.mark.bite("tidegate.identity.keys.parse_ring", any_ring, cases=("form",))
@pytest.mark.bite("tidegate.identity.keys.active_key", first_key, cases=("use",))
@pytest.mark.parametrize("fault", list(faulty_rings()))
def test_a_faulty_ring_signs_nothing(platform: Settings, fault: str) -> None:
    """A23: the vault refuses to start on it, in one clear line without key material."""
    text = faulty_rings()[fault]
    vault = KeyVault(lambda: text, load_public_keys, "test")
    problem: ServiceUnavailable | None = None
    try:
        vault.signer(system_clock)
    except ServiceUnavailable as error:
        problem = error
    assert problem is not None
    assert problem.log.startswith("signing keys unusable: ")
    assert "\n" not in problem.log
    assert "PRIVATE" not in problem.log


@pytest.mark.hazard("A23")
def test_no_key_answers_503_and_signs_nothing(platform: Settings, clock: FixedClock) -> None:
    """A23: without a usable ring nobody is signed in, and nothing of it is told."""
    boto3.client("secretsmanager", region_name=platform.aws_region).create_secret(
        Name=platform.signing_key_ref, SecretString='{"keys":[]}'
    )
    client = IdentityClient(platform, clock=clock)
    client.register()
    answer = client.post("/auth/login", json={"email": "ada@example.com", "password": PASSWORD})
    assert (answer.status_code, code_of(answer)) == (503, "SERVICE_UNAVAILABLE")
    assert "key" not in answer.text


@pytest.mark.hazard("A28")
@pytest.mark.parametrize("seconds", [1800, 600])
def test_lifetimes_agree(platform: Settings, monkeypatch: pytest.MonkeyPatch, seconds: int) -> None:
    """A28: expires_in, exp - iat, cookie age and the one setting are the same number."""
    monkeypatch.setenv("ACCESS_TOKEN_SECONDS", str(seconds))
    store_signing_ring(platform)
    client = IdentityClient(platform)
    tokens = client.signed_in()
    refreshed = client.refresh(tokens["refresh_token"]).json()
    renewed = client.refresh(refreshed["access_token"]).json()
    for answer in (tokens, refreshed, renewed):
        claims = claims_of(answer["access_token"])
        assert claims["exp"] - claims["iat"] == answer["expires_in"] == seconds
        assert claims["nbf"] == claims["iat"]
    browser = client.post(
        "/auth/login?session=cookie", json={"email": "ada@example.com", "password": PASSWORD}
    )
    assert browser.json()["expires_in"] == seconds
    (access,) = [line for line in browser.headers.get_list("set-cookie") if "tg_access" in line]
    assert f"Max-Age={seconds};" in access


@pytest.mark.hazard("A28")
def test_cross_system_lifetimes_agree(client: IdentityClient) -> None:
    """A28: a cross-system token's exp is the told expires_at, an hour after iat."""
    token = client.signed_in()["access_token"]
    granted = cross(client, token, ["metrics:read"]).json()
    claims = claims_of(granted["token"])
    told = datetime.fromisoformat(granted["expires_at"])
    assert claims["exp"] - claims["iat"] == 3600
    assert int(told.timestamp()) == claims["exp"]


# ---- A24: the twin, A26: cross-system -----------------------------------------------------------


@pytest.mark.hazard("A24")
def test_the_twin_of_a_renewed_token_is_the_same_token(client: IdentityClient) -> None:
    """A24: (r, n-s) carries the same jti, so it renews nothing a second time."""
    token = client.signed_in()["access_token"]
    head, _, signature = token.rpartition(".")
    raw = b64url_decode(signature)
    s = ORDER - int.from_bytes(raw[32:], "big")
    twin = f"{head}.{b64url_encode(raw[:32] + s.to_bytes(32, 'big'))}"
    assert client.me(twin).status_code == 200
    assert client.refresh(token).status_code == 200
    assert client.refresh(twin).status_code == 401


def cross(
    client: IdentityClient, token: str, permissions: list[str], target: str = "analytics"
) -> Any:
    body = {"target_system": target, "permissions": permissions}
    return client.post("/auth/cross-system-token", json=body, headers=bearer(token))


@pytest.mark.hazard("A26")
@pytest.mark.bite(
    "tidegate_kit.auth.principal.Principal.permissions",
    returns=ALL_PERMISSIONS,
    cases=("not held",),
)
@pytest.mark.parametrize(
    ("permissions", "target", "status", "code"),
    [
        pytest.param(["finding:read"], "analytics", 403, "SCOPE_EXCEEDED", id="not held"),
        pytest.param(["workflow:read"], "analytics", 403, "SCOPE_EXCEEDED", id="not allowed"),
        pytest.param(
            ["metrics:read", "finding:read"], "analytics", 403, "SCOPE_EXCEEDED", id="one"
        ),
        pytest.param(["*"], "analytics", 403, "SCOPE_EXCEEDED", id="wildcard"),
        pytest.param(["metrics:*"], "analytics", 403, "SCOPE_EXCEEDED", id="half wildcard"),
        pytest.param(["metrics:read"], "unknown", 422, "VALIDATION_ERROR", id="unknown target"),
        pytest.param([], "analytics", 422, "VALIDATION_ERROR", id="none"),
        pytest.param(["metrics:read"] * 21, "analytics", 422, "VALIDATION_ERROR", id="too many"),
    ],
)
def test_cross_system_tokens_give_no_more_than_is_held(
    client: IdentityClient, permissions: list[str], target: str, status: int, code: str
) -> None:
    """A26: what is not both held and allowed there is refused, and nothing is issued."""
    owner = client.signed_in()
    member = client.member(owner["access_token"], "bob@example.com")
    answer = cross(client, member["access_token"], permissions, target)
    assert (answer.status_code, code_of(answer)) == (status, code)
    assert "token" not in answer.json()


@pytest.mark.hazard("A26")
def test_granted_is_asked_for_and_held(client: IdentityClient, clock: FixedClock) -> None:
    """A26: scope is exactly what was asked; the token is no token here, nor for another target."""
    token = client.signed_in()["access_token"]
    answer = cross(client, token, ["metrics:read", "finding:read"])
    assert answer.headers["cache-control"] == "no-store"
    granted = answer.json()
    assert granted["permissions"] == ["finding:read", "metrics:read"]
    published = jwt.PyJWK(client.get("/.well-known/jwks.json").json()["keys"][0])
    claims = jwt.decode(
        granted["token"], published, algorithms=["ES256"], audience="analytics",
        options={"verify_iat": False, "verify_nbf": False},
    )  # fmt: skip
    assert claims["scope"] == "finding:read metrics:read"
    with pytest.raises(jwt.InvalidAudienceError):
        jwt.decode(granted["token"], published, algorithms=["ES256"], audience="automation")
    assert client.me(granted["token"]).status_code == 401
    assert cross(client, granted["token"], ["metrics:read"]).status_code == 401
    assert client.refresh(granted["token"]).status_code == 401


@pytest.mark.hazard("A26")
def test_no_cross_system_token_outlives_its_session(
    client: IdentityClient, clock: FixedClock
) -> None:
    """A26: a session that ends within the hour gives no token for an hour."""
    tokens = client.signed_in()
    start = clock()
    while clock() < start + timedelta(days=29):
        clock.advance(hours=20)
        tokens = client.refresh(tokens["refresh_token"]).json()
    clock.now = start + timedelta(days=29, hours=23, minutes=30)
    tokens = client.refresh(tokens["refresh_token"]).json()
    answer = cross(client, tokens["access_token"], ["metrics:read"])
    assert (answer.status_code, code_of(answer)) == (401, "SESSION_EXPIRED")
