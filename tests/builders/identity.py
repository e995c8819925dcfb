"""The identity routes for tests: a deployment's signing ring, and a client that signs people in."""

from __future__ import annotations

import itertools
import json
from typing import Any

import boto3
import httpx
from tidegate.identity.keys import PrivateKey
from tidegate.identity.routes import router
from tidegate_kit.clock import Clock, system_clock
from tidegate_kit.http import Router
from tidegate_kit.settings import Settings

from tests.builders.api import ApiClient
from tests.builders.members import KID, PRIVATE_KEY

PASSWORD = "correct horse battery"
ADA = {
    "email": "ada@example.com",
    "password": PASSWORD,
    "first_name": "Ada",
    "last_name": "Lovelace",
    "company": "Engines",
}


def store_signing_ring(settings: Settings, clock: Clock = system_clock) -> None:
    """Put the private half of the published test key where the identity function reads it."""
    key = PrivateKey(KID, PRIVATE_KEY, clock(), None, settings.tidegate_stage)
    boto3.client("secretsmanager", region_name=settings.aws_region).create_secret(
        Name=settings.signing_key_ref, SecretString=json.dumps({"keys": [key.as_json()]})
    )


def bearer(token: str) -> dict[str, str]:
    """The Authorization header of a token."""
    return {"Authorization": f"Bearer {token}"}


class IdentityClient(ApiClient):
    """ApiClient with each call from another address, so that limits by address do not bite."""

    def __init__(self, settings: Settings, *routers: Router, clock: Clock = system_clock) -> None:
        super().__init__([router, *routers], settings, clock)
        self._calls = itertools.count()  # safe under threads, as a generator is not

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """One call; `client_ip` keeps the address."""
        number = next(self._calls)
        options.setdefault("client_ip", f"198.51.{number // 250 % 250}.{number % 250 + 1}")
        return super().request(method, path, **options)

    def register(self, **changes: Any) -> dict[str, Any]:
        """Register Ada, or her with changes; the answer's body."""
        return _body(self.post("/auth/register", json={**ADA, **changes}), 201)

    def login(self, email: str = ADA["email"], password: str = PASSWORD) -> dict[str, Any]:
        """Tokens by e-mail and password."""
        return _body(self.post("/auth/login", json={"email": email, "password": password}), 200)

    def signed_in(self, **changes: Any) -> dict[str, Any]:
        """Register and sign in; the tokens."""
        made = self.register(**changes)
        return self.login(made["email"], changes.get("password", PASSWORD))

    def refresh(self, token: str) -> httpx.Response:
        """Refresh by a token as Bearer."""
        return self.post("/auth/refresh", headers=bearer(token))

    def me(self, token: str) -> httpx.Response:
        """Who the bearer of a token is."""
        return self.get("/auth/me", headers=bearer(token))

    def invited(self, owner_token: str, email: str, roles: tuple[str, ...] = ("user",)) -> str:
        """The token of a new invitation."""
        answer = self.post(
            "/members/invitations",
            json={"email": email, "roles": list(roles)},
            headers=bearer(owner_token),
        )
        token: str = _body(answer, 201)["invitation_token"]
        return token

    def member(
        self, owner_token: str, email: str, roles: tuple[str, ...] = ("user",)
    ) -> dict[str, Any]:
        """Tokens of a new member of the owner's organisation."""
        invitation = self.invited(owner_token, email, roles)
        return self.signed_in(email=email, invitation_token=invitation)

    def cookie_login(self, email: str = ADA["email"]) -> tuple[dict[str, str], str]:
        """Cookies and CSRF token of a browser session."""
        answer = self.post(
            "/auth/login?session=cookie", json={"email": email, "password": PASSWORD}
        )
        return cookies_of(answer), _body(answer, 200)["csrf_token"]


def cookies_of(answer: httpx.Response) -> dict[str, str]:
    """Cookies set by an answer, by name."""
    pairs = [line.split(";")[0].split("=", 1) for line in answer.headers.get_list("set-cookie")]
    return {pair[0]: pair[1] for pair in pairs}


def cookie_header(cookies: dict[str, str]) -> dict[str, str]:
    """The Cookie header that a browser would send."""
    return {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}


def code_of(answer: httpx.Response) -> str:
    """The error code of an answer; empty where it is no error."""
    code: str = answer.json().get("error", {}).get("code", "")
    return code


def _body(answer: httpx.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    body: dict[str, Any] = answer.json()
    return body
