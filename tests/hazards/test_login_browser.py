"""The session in a browser: CSRF, origins, cookies, headers (C10-C15)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tidegate_kit.clock import FixedClock
from tidegate_kit.http.edge import Edge
from tidegate_kit.http.route import _finish
from tidegate_kit.settings import Settings

from tests.builders.identity import (
    PASSWORD,
    IdentityClient,
    bearer,
    code_of,
    cookie_header,
    cookies_of,
)
from tests.builders.login import login_client, sign_in, window_start


@pytest.fixture
def clock() -> FixedClock:
    return window_start()


@pytest.fixture
def client(
    platform: Settings, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> IdentityClient:
    return login_client(platform, clock, monkeypatch)


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
