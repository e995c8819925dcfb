"""The web client and the mobile client as the contract describes them (GEN-3, GEN-4, GEN-13)."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest
from tidegate.calendar.routes import router as calendar
from tidegate.identity.routes import router as identity
from tidegate.integrations.routes import router as integrations
from tidegate.profile.routes import router as profile
from tidegate_kit.clock import system_clock
from tidegate_kit.http.app import build_app, build_platform
from tidegate_kit.settings import Settings

from tests.builders.identity import ADA, PASSWORD, cookies_of, store_signing_ring
from tests.builders.settings import settings as make_settings

ORIGIN = "http://localhost:3000"  # one of CORS_ORIGINS
CODE = "s3same"
# <host>/api, <origin>/api and http://127.0.0.1:8000 with or without /api (GEN-4).
BASES = ("http://127.0.0.1:8000", "http://127.0.0.1:8000/api", f"{ORIGIN}/api",
         "https://api.example.com/api")  # fmt: skip


class Device:
    """An HTTP client that knows one base URL and sends what its kind always sends."""

    def __init__(self, app: Any, base: str, headers: dict[str, str], slash: str = "") -> None:
        self._app = app
        self._base = base
        self.headers = headers
        self._slash = slash
        self.cookies: dict[str, str] = {}

    def __call__(self, method: str, path: str, **options: Any) -> httpx.Response:
        """A call below the base URL."""
        sent = {**self.headers, **options.pop("headers", {})}
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())

        async def call() -> httpx.Response:
            transport = httpx.ASGITransport(self._app, client=("203.0.113.50", 1))
            async with httpx.AsyncClient(transport=transport) as client:
                url = f"{self._base}{path}{self._slash}"
                return await client.request(method, url, headers=sent, **options)

        answer = asyncio.run(call())
        self.cookies.update(cookies_of(answer))
        return answer


@pytest.fixture
def app(platform: Settings, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("LEGACY_BCRYPT_COST", "4")
    store_signing_ring(platform, lambda: system_clock() - timedelta(seconds=2))
    changed = make_settings(Settings, kms_key_arn=platform.kms_key_arn, access_code=CODE)
    routers = [identity, profile, calendar, integrations]
    return build_app(routers, build_platform(changed, system_clock))


def ok(answer: httpx.Response, status: int = 200) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    body: dict[str, Any] = answer.json()
    return body


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("base", BASES)
def test_the_mobile_client(app: Any, base: str, slash: str) -> None:
    """GEN-4: bearer tokens and the access-code header, on every base URL, with a slash or not."""
    phone = Device(app, base, {"X-Halext-Code": CODE}, slash)
    ok(phone("POST", "/auth/register", json=ADA), 201)
    form = {"username": ADA["email"], "password": PASSWORD, "grant_type": "password"}
    tokens = ok(phone("POST", "/token", data=form))
    assert (tokens["token_type"], tokens["expires_in"]) == ("bearer", 1800)
    phone.headers["Authorization"] = f"Bearer {tokens['access_token']}"
    me = ok(phone("GET", "/auth/me"))
    assert me["email"] == ADA["email"]
    assert ok(phone("GET", "/v1/settings"))["chat_model"] == "llama3.2:3b"
    changed = ok(phone("PUT", "/v1/settings", json={"theme": "light"}))
    assert changed["theme"] == "light"
    task = ok(phone("POST", "/v1/calendar/tasks", json={"title": "Pay"}), 201)
    done = ok(phone("PUT", f"/v1/calendar/tasks/{task['id']}", json={"status": "done"}))
    assert done["completed_at"] is not None
    target = ok(phone("POST", "/user/communication-targets", json={"name": "Bob"}))
    assert ok(phone("GET", f"/user/communication-targets/{target['id']}")) == target
    # No browser, no cookie: calls that change something need no CSRF token.
    assert phone.cookies == {}
    phone.headers["Authorization"] = f"Bearer {tokens['refresh_token']}"
    renewed = ok(phone("POST", "/auth/refresh"))
    phone.headers["Authorization"] = f"Bearer {renewed['access_token']}"
    ok(phone("GET", "/v1/profile"))
    ok(phone("POST", "/auth/logout"))
    assert phone("GET", "/v1/profile").status_code == 401


def test_the_mobile_client_without_its_code(app: Any) -> None:
    """AUTH-4: register, login and token are refused without the header; nothing else asks."""
    phone = Device(app, BASES[0], {})
    for path, body in (
        ("/auth/register", {"json": ADA}),
        ("/auth/login", {"json": {"email": ADA["email"], "password": PASSWORD}}),
        ("/token", {"data": {"username": ADA["email"], "password": PASSWORD}}),
    ):
        refused = phone("POST", path, **body)
        assert refused.status_code == 403
        assert refused.json()["error"]["code"] == "ACCESS_CODE_REQUIRED"
    assert phone("GET", "/v1/settings").status_code == 401


@pytest.mark.parametrize("base", [f"{ORIGIN}/api", "http://127.0.0.1:8000"])
def test_the_web_client(app: Any, base: str) -> None:
    """GEN-13, AUTH-11, AUTH-12: preflights, a cookie session, CSRF tokens, exposed headers."""
    browser = Device(app, base, {"Origin": ORIGIN})
    asked = {
        "Access-Control-Request-Method": "PUT",
        "Access-Control-Request-Headers": "content-type,x-csrf-token,x-halext-code,idempotency-key,"
        "x-request-id,if-none-match,authorization",
    }
    preflight = browser("OPTIONS", "/v1/settings", headers=asked)
    assert preflight.status_code in (200, 204)
    assert preflight.headers["access-control-allow-origin"] == ORIGIN
    assert preflight.headers["access-control-allow-credentials"] == "true"
    allowed = preflight.headers["access-control-allow-headers"].lower().replace(" ", "").split(",")
    assert set(asked["Access-Control-Request-Headers"].split(",")) <= set(allowed)
    assert "PUT" in preflight.headers["access-control-allow-methods"]
    code = {"X-Halext-Code": CODE}
    ok(browser("POST", "/auth/register", json=ADA, headers=code), 201)
    login = {"email": ADA["email"], "password": PASSWORD}
    session = ok(browser("POST", "/auth/login?session=cookie", json=login, headers=code))
    assert session["token_type"] == "cookie"
    assert {"__Host-tg_access", "__Host-tg_refresh", "__Host-tg_csrf"} <= set(browser.cookies)
    read = browser("GET", "/v1/profile")
    assert ok(read)["email"] == ADA["email"]
    assert read.headers["access-control-allow-origin"] == ORIGIN
    exposed = read.headers["access-control-expose-headers"].lower()
    for name in ("x-request-id", "etag", "x-ratelimit-remaining", "retry-after"):
        assert name in exposed, name
    unchanged = browser("GET", "/v1/profile", headers={"If-None-Match": read.headers["etag"]})
    assert unchanged.status_code == 304
    refused = browser("PUT", "/v1/settings", json={"theme": "system"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "CSRF_FAILED")
    csrf = {"X-CSRF-Token": session["csrf_token"]}
    assert ok(browser("PUT", "/v1/settings", json={"theme": "system"}, headers=csrf))["theme"] == (
        "system"
    )
    sync = browser("POST", "/v1/calendar/sync/auto", headers=csrf)
    assert sync.json()["error"]["code"] == "NO_OAUTH_TOKEN"
    keyed = {**csrf, "Idempotency-Key": "web-1"}
    first = browser("POST", "/user/communication-targets", json={"name": "Bob"}, headers=keyed)
    again = browser("POST", "/user/communication-targets", json={"name": "Bob"}, headers=keyed)
    assert first.json() == again.json()
    assert again.headers["idempotent-replayed"] == "true"


def test_pages_of_other_origins_learn_nothing(app: Any) -> None:
    """GEN-13: an origin that is not configured gets no CORS header, in spite of a similar name."""
    for origin in (
        "https://evil.example", "http://localhost:3001", f"{ORIGIN}.evil.example", "null",
    ):  # fmt: skip
        page = Device(app, BASES[1], {"Origin": origin})
        for answer in (
            page("GET", "/v1/settings"),
            page("OPTIONS", "/v1/settings", headers={"Access-Control-Request-Method": "PUT"}),
        ):
            named = [name for name in answer.headers if name.startswith("access-control-")]
            assert named == [], (origin, named)
