"""Routes of contract 2.1 through the whole pipeline: registration, login, sessions."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import jwt
import pytest
from tidegate.identity import wiring
from tidegate.identity.routes import router
from tidegate_kit.clock import FixedClock, system_clock
from tidegate_kit.ids import is_id, new_id
from tidegate_kit.settings import Settings, SettingsError, read_settings

from tests.builders.api import ApiClient
from tests.builders.identity import (
    ADA,
    PASSWORD,
    IdentityClient,
    bearer,
    code_of,
    cookie_header,
    store_signing_ring,
)
from tests.builders.members import claims_for, sign, sign_in
from tests.builders.settings import ENVIRONMENT
from tests.builders.settings import settings as make_settings


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(system_clock())


@pytest.fixture
def client(
    platform: Settings, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> IdentityClient:
    monkeypatch.setenv("LEGACY_BCRYPT_COST", "4")
    store_signing_ring(platform, lambda: clock() - timedelta(seconds=2))
    return IdentityClient(platform, clock=clock)


def claims_of(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims


# ---- registration -------------------------------------------------------------------------------


def test_register_login_me_refresh_logout(client: IdentityClient) -> None:
    made = client.register(email="Ada@Example.com")
    assert set(made) == {
        "id", "email", "first_name", "last_name", "company", "is_active", "created_at", "roles",
    }  # fmt: skip
    assert (made["email"], made["roles"], made["is_active"]) == ("ada@example.com", ["user"], True)
    tokens = client.login()
    assert set(tokens) == {"access_token", "token_type", "expires_in", "refresh_token"}
    me = client.me(tokens["access_token"]).json()
    assert set(me) == {
        "id", "email", "username", "first_name", "last_name", "company", "is_active", "roles",
        "permissions", "tenant_id", "is_owner",
    }  # fmt: skip
    assert (me["id"], me["is_owner"], me["username"]) == (made["id"], True, None)
    assert {"member:manage", "account:manage", "workflow:execute"} <= set(me["permissions"])
    assert "admin:read" not in me["permissions"]
    again = client.refresh(tokens["refresh_token"])
    assert again.json()["refresh_token"] != tokens["refresh_token"]
    out = client.post("/auth/logout", headers=bearer(again.json()["access_token"]))
    assert out.json() == {"message": "Signed out.", "sessions_revoked": 1}
    for token in (tokens["access_token"], again.json()["access_token"]):
        assert client.me(token).status_code == 401


def test_claims_of_an_access_token(client: IdentityClient) -> None:
    made = client.register()
    token = client.login()["access_token"]
    header, claims = jwt.get_unverified_header(token), claims_of(token)
    assert (header["alg"], header["typ"]) == ("ES256", "at+jwt")
    assert set(claims) == {
        "iss", "aud", "sub", "email", "role", "tid", "sid", "jti", "iat", "nbf", "exp",
    }  # fmt: skip
    assert (claims["sub"], claims["role"]) == (made["id"], "user")
    assert (claims["iss"], claims["aud"]) == (ENVIRONMENT["JWT_ISSUER"], "tidegate-api")
    assert all(is_id(claims[name]) for name in ("sub", "tid", "sid", "jti"))


def test_every_registration_founds_its_own_organisation(client: IdentityClient) -> None:
    """AUTH-3: naming a company that exists joins none."""
    first, second = client.signed_in(), client.signed_in(email="bob@example.com")
    tenants = {claims_of(tokens["access_token"])["tid"] for tokens in (first, second)}
    assert len(tenants) == 2
    assert client.me(second["access_token"]).json()["is_owner"] is True


def test_username_is_another_name_of_the_account(client: IdentityClient) -> None:
    client.register(username="Ada.L")
    body = {"username": "ada.l", "password": PASSWORD}
    token = client.post("/auth/login", json=body).json()["access_token"]
    assert client.me(token).json()["username"] == "Ada.L"
    by_address = {"username": "ada@example.com", "password": PASSWORD}
    assert client.post("/auth/login", json=by_address).status_code == 200
    taken = client.post(
        "/auth/register", json={**ADA, "email": "b@example.com", "username": "ADA.l"}
    )
    assert taken.status_code == 400
    assert taken.json()["error"]["details"][0]["field"] == "username"
    assert wiring.bootstrap().accounts.find("b@example.com") is None


@pytest.mark.parametrize(
    "change",
    [
        {"email": "no address"}, {"email": "x" * 250 + "@example.com"}, {"password": "short"},
        {"password": "x" * 129}, {"first_name": ""}, {"company": "x" * 201}, {"roles": ["admin"]},
        {"tenant_id": new_id()}, {"is_active": True}, {"is_owner": True}, {"username": None},
        {"username": "a@b"}, {"password": 12345678}, {"first_name": "a\nb"}, {"is_admin": 1},
    ],
)  # fmt: skip
def test_unusable_registrations(client: IdentityClient, change: dict[str, Any]) -> None:
    answer = client.post("/auth/register", json={**ADA, **change})
    assert (answer.status_code, code_of(answer)) == (422, "VALIDATION_ERROR")


def test_password_length_counts_characters(client: IdentityClient) -> None:
    client.register(password="é" * 8)
    client.register(email="b@example.com", password="é" * 128)
    client.register(email="c@example.com", password="e\u0301" * 128)
    assert client.login("b@example.com", "e\u0301" * 128)


def test_a_repeated_key_registers_once(client: IdentityClient) -> None:
    headers = {"Idempotency-Key": "register-1"}
    first = client.post("/auth/register", json=ADA, headers=headers)
    again = client.post("/auth/register", json=ADA, headers=headers)
    other = client.post("/auth/register", json={**ADA, "last_name": "B"}, headers=headers)
    assert (first.status_code, again.status_code, other.status_code) == (201, 201, 422)
    assert again.json() == first.json()


def test_a_registration_that_died_after_its_effect_is_recognised(
    client: IdentityClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """H30: the second call finds the user that the first one made."""
    services = wiring.identity()
    wish = registration(effect_key="e" * 64)
    first = services.credentials.register(wish)
    assert services.credentials.register(wish).id == first.id
    with pytest.raises(Exception, match="not possible"):
        services.credentials.register(registration(effect_key="f" * 64))


def registration(**changes: Any) -> Any:
    from tidegate.identity.service.credentials import Registration

    return Registration(**{**ADA, **changes})


# ---- login --------------------------------------------------------------------------------------


def test_the_form_route_is_the_same_login(client: IdentityClient) -> None:
    client.register()
    form = {
        "username": "ada@example.com", "password": PASSWORD, "grant_type": "password",
        "scope": "anything", "client_id": "x", "client_secret": "y",
    }  # fmt: skip
    answer = client.post("/api/token", data=form)
    assert answer.status_code == 200, answer.text
    assert set(answer.json()) == {"access_token", "token_type", "expires_in", "refresh_token"}
    assert client.me(answer.json()["access_token"]).status_code == 200
    minimal = {"username": "ada@example.com", "password": PASSWORD}
    assert client.post("/token", data=minimal).status_code == 200
    assert client.post("/token", json=minimal).status_code == 415
    assert client.post("/token", data={**minimal, "grant_type": "code"}).status_code == 422
    wrong = client.post("/token", data={**minimal, "password": "wrong password"})
    assert (wrong.status_code, code_of(wrong)) == (401, "INVALID_CREDENTIALS")


def test_inactive_is_told_only_after_a_right_password(client: IdentityClient) -> None:
    owner = client.signed_in()
    bob = client.member(owner["access_token"], "bob@example.com")
    path = f"/members/{claims_of(bob['access_token'])['sub']}"
    client.patch(path, json={"is_active": False}, headers=bearer(owner["access_token"]))
    for password, status, code in (
        ("wrong password", 401, "INVALID_CREDENTIALS"),
        (PASSWORD, 400, "INACTIVE_ACCOUNT"),
    ):
        body = {"email": "bob@example.com", "password": password}
        answer = client.post("/auth/login", json=body)
        assert (answer.status_code, code_of(answer)) == (status, code)


@pytest.mark.parametrize(
    "body",
    [
        {"password": PASSWORD},
        {"email": "a@example.com", "username": "a", "password": PASSWORD},
        {"email": None, "username": "a", "password": PASSWORD},
        {"email": "a@example.com"},
        {"email": "a@example.com", "password": PASSWORD, "admin": True},
    ],
)
def test_unusable_logins(client: IdentityClient, body: dict[str, Any]) -> None:
    assert client.post("/auth/login", json=body).status_code == 422


def test_the_access_code(platform: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """AUTH-4: register, login and token need it; nothing else does."""
    store_signing_ring(platform)
    changed = make_settings(Settings, kms_key_arn=platform.kms_key_arn, access_code="s3same")
    client = ApiClient([router], changed)
    form = {"username": "ada@example.com", "password": PASSWORD}
    login = {"email": "ada@example.com", "password": PASSWORD}
    for given in ({}, {"X-Halext-Code": "wrong"}):
        for answer in (
            client.post("/auth/register", json=ADA, headers=given),
            client.post("/auth/login", json=login, headers=given),
            client.post("/token", data=form, headers=given),
        ):
            assert (answer.status_code, code_of(answer)) == (403, "ACCESS_CODE_REQUIRED")
    right = {"X-Halext-Code": "s3same"}
    assert client.post("/auth/register", json=ADA, headers=right).status_code == 201
    tokens = client.post("/auth/login", json=login, headers=right).json()
    ip = "203.0.113.99"
    refreshed = client.post("/auth/refresh", headers=bearer(tokens["refresh_token"]), client_ip=ip)
    assert refreshed.status_code == 200


# ---- sessions -----------------------------------------------------------------------------------


def test_sessions_are_listed_and_ended(client: IdentityClient, clock: FixedClock) -> None:
    client.register()
    first = client.login()
    clock.advance(seconds=1)
    second = client.login()
    headers = bearer(second["access_token"])
    listed = client.get("/auth/sessions", headers=headers).json()
    assert set(listed) == {"sessions", "total", "page", "page_size", "total_pages"}
    assert [one["current"] for one in listed["sessions"]] == [True, False]
    assert set(listed["sessions"][0]) == {
        "id", "created_at", "last_used_at", "ip", "user_agent", "current",
    }  # fmt: skip
    old = listed["sessions"][1]["id"]
    ended = client.delete(f"/auth/sessions/{old}", headers=headers)
    assert ended.json() == {"id": old, "deleted": True}
    assert client.me(first["access_token"]).status_code == 401
    assert client.delete(f"/auth/sessions/{old}", headers=headers).status_code == 404
    assert client.get("/auth/sessions?page_size=1", headers=headers).json()["total"] == 1


def test_sessions_of_others_do_not_exist(client: IdentityClient) -> None:
    mine = client.signed_in()
    other = client.member(mine["access_token"], "bob@example.com")
    foreign = claims_of(other["access_token"])["sid"]
    for session_id in (foreign, new_id(), "not-an-id"):
        answer = client.delete(f"/auth/sessions/{session_id}", headers=bearer(mine["access_token"]))
        assert (answer.status_code, code_of(answer)) == (404, "NOT_FOUND")
    assert client.me(other["access_token"]).status_code == 200


def test_refresh_by_body_and_by_nothing(client: IdentityClient) -> None:
    tokens = client.signed_in()
    by_body = client.post("/auth/refresh", json={"refresh_token": tokens["refresh_token"]})
    assert by_body.status_code == 200
    useless: list[dict[str, Any]] = [
        {}, {"json": {}}, {"headers": {"Authorization": "Basic eDp5"}},
    ]  # fmt: skip
    for options in useless:
        answer = client.post("/auth/refresh", **options)
        assert (answer.status_code, code_of(answer)) == (401, "AUTHENTICATION_REQUIRED")
    for bad in ("x", "x" * 108, "a.b.c"):
        assert client.refresh(bad).status_code == 401


def test_bearer_wins_over_the_body(client: IdentityClient) -> None:
    tokens = client.signed_in()
    answer = client.post(
        "/auth/refresh",
        json={"refresh_token": "something else"},
        headers=bearer(tokens["refresh_token"]),
    )
    assert answer.status_code == 200


def test_logout_everywhere_counts_every_session(client: IdentityClient) -> None:
    client.register()
    tokens = [client.login() for _ in range(3)]
    headers = bearer(tokens[0]["access_token"])
    answer = client.post("/auth/logout?all=true", headers=headers)
    assert answer.json()["sessions_revoked"] == 3
    assert all(client.me(one["access_token"]).status_code == 401 for one in tokens)


def test_the_csrf_token_of_a_cookie_session(client: IdentityClient) -> None:
    client.register()
    cookies, csrf = client.cookie_login()
    answer = client.get("/auth/csrf", headers=cookie_header(cookies))
    assert answer.json() == {"csrf_token": csrf}
    assert csrf in answer.headers["set-cookie"]
    by_token = client.get("/auth/csrf", headers=bearer(client.login()["access_token"]))
    assert "set-cookie" not in by_token.headers


def test_a_wrong_current_password_changes_nothing(client: IdentityClient) -> None:
    token = client.signed_in()["access_token"]
    body = {"current_password": "wrong password", "new_password": "another password"}
    answer = client.post("/auth/password", json=body, headers=bearer(token))
    assert (answer.status_code, code_of(answer)) == (401, "INVALID_CREDENTIALS")
    assert client.me(token).status_code == 200
    assert client.login()


def test_published_keys(client: IdentityClient) -> None:
    answer = client.get("/api/.well-known/jwks.json")
    (key,) = answer.json()["keys"]
    assert set(key) == {"kty", "crv", "x", "y", "kid", "use", "alg"}
    token = client.signed_in()["access_token"]
    assert jwt.get_unverified_header(token)["kid"] == key["kid"]


def test_protected_routes_without_a_token(client: IdentityClient) -> None:
    for declared in router.specs:
        if declared.public:
            continue
        path = declared.path.replace("{session_id}", new_id()).replace("{user_id}", new_id())
        path = path.replace("{invitation_id}", new_id())
        answer = client.request(declared.method, path)
        assert answer.status_code == 401, declared.name
        assert answer.headers["www-authenticate"] == "Bearer"


def test_a_legacy_token_is_a_principal_without_session(
    platform: Settings, clock: FixedClock
) -> None:
    """AUTH-6, IMP-6: both layouts give an equal member."""
    until = (clock() + timedelta(days=1)).isoformat()
    opened = make_settings(
        Settings, kms_key_arn=platform.kms_key_arn, legacy_tokens_enabled="true",
        legacy_tokens_until=until,
    )  # fmt: skip
    store_signing_ring(platform, lambda: clock() - timedelta(seconds=2))
    client = IdentityClient(opened, clock=clock)
    member = sign_in(clock=clock)
    now = int(clock().timestamp())
    legacy = sign(
        {"iss": ENVIRONMENT["JWT_ISSUER"], "aud": "tidegate-api", "sub": member.email,
         "id": member.user_id, "role": "admin", "iat": now, "exp": now + 3600},
        typ="JWT",
    )  # fmt: skip
    assert client.me(legacy).json() == client.me(member.token).json()
    assert client.get("/auth/csrf", headers=bearer(legacy)).status_code == 403
    assert client.refresh(legacy).status_code == 401
    clock.advance(seconds=1)
    assert client.post("/auth/logout", headers=bearer(legacy)).status_code == 200
    assert client.me(legacy).status_code == 401
    current = sign(
        claims_for(member.tenant_id, member.user_id, member.session_id, member.email, clock())
    )
    assert client.me(current).status_code == 401


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CROSS_SYSTEM_TARGETS", "not json"),
        ("CROSS_SYSTEM_TARGETS", '{"a": "b"}'),
        ("ACCESS_TOKEN_SECONDS", "0"),
        ("LEGACY_BCRYPT_COST", "31"),
    ],
)
def test_unusable_settings_stop_the_start(name: str, value: str) -> None:
    from tidegate.identity.settings import IdentitySettings

    with pytest.raises(SettingsError, match=name):
        read_settings(IdentitySettings, {**ENVIRONMENT, name: value})
