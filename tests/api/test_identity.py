"""Routes of contract 2.1 through the whole pipeline: registration, login, sessions."""

from __future__ import annotations

from typing import Any

import jwt
import pytest
from tidegate.identity.routes import router
from tidegate_kit.settings import Settings

from tests.builders.api import ApiClient
from tests.builders.identity import store_signing_ring

PASSWORD = "correct horse battery"
ADA = {
    "email": "Ada@Example.com",
    "password": PASSWORD,
    "first_name": "Ada",
    "last_name": "Lovelace",
    "company": "Engines",
}


@pytest.fixture
def client(platform: Settings, monkeypatch: pytest.MonkeyPatch) -> ApiClient:
    monkeypatch.setenv("LEGACY_BCRYPT_COST", "4")
    store_signing_ring(platform)
    return ApiClient([router], platform)


def register(client: ApiClient, **changes: Any) -> dict[str, Any]:
    answer = client.post("/api/auth/register", json={**ADA, **changes})
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    return body


def login(client: ApiClient, email: str = "ada@example.com", **options: Any) -> dict[str, Any]:
    answer = client.post("/api/auth/login", json={"email": email, "password": PASSWORD}, **options)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_register_login_me_refresh_logout(client: ApiClient) -> None:
    made = register(client)
    assert set(made) == {
        "id", "email", "first_name", "last_name", "company", "is_active", "created_at", "roles",
    }  # fmt: skip
    assert (made["email"], made["roles"], made["is_active"]) == ("ada@example.com", ["user"], True)
    tokens = login(client)
    assert set(tokens) == {"access_token", "token_type", "expires_in", "refresh_token"}
    claims = jwt.decode(tokens["access_token"], options={"verify_signature": False})
    assert claims["exp"] - claims["iat"] == tokens["expires_in"] == 1800
    me = client.get("/api/auth/me", headers=bearer(tokens["access_token"]))
    assert me.status_code == 200, me.text
    assert me.json()["is_owner"] is True
    assert "member:manage" in me.json()["permissions"]
    again = client.post("/auth/refresh", headers=bearer(tokens["refresh_token"]))
    assert again.status_code == 200, again.text
    assert again.json()["refresh_token"] != tokens["refresh_token"]
    out = client.post("/auth/logout", headers=bearer(again.json()["access_token"]))
    assert out.json() == {"message": "Signed out.", "sessions_revoked": 1}
    for token in (tokens["access_token"], again.json()["access_token"]):
        assert client.get("/auth/me", headers=bearer(token)).status_code == 401
