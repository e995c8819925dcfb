"""The signing ring, lifetimes and cross-system tokens through the pipeline (A20-A28)."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import boto3
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from tidegate.identity.keys import KeyVault, PrivateKey, new_private_key
from tidegate_kit.auth.authenticate import load_public_keys
from tidegate_kit.auth.models import (
    SigningKeyItem,
)
from tidegate_kit.auth.permissions import ALL_PERMISSIONS
from tidegate_kit.auth.tokens import b64url_decode, b64url_encode
from tidegate_kit.clock import FixedClock, system_clock
from tidegate_kit.errors import ServiceUnavailable
from tidegate_kit.settings import Settings

from tests.builders.identity import (
    PASSWORD,
    IdentityClient,
    bearer,
    code_of,
    store_signing_ring,
)
from tests.builders.members import KID, PRIVATE_KEY, sign_in
from tests.builders.sessions import admin_router, claims_of

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


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
