"""Entry points without HTTP, on the strict double with the template's tables."""

from __future__ import annotations

import json
from typing import Any

import boto3
import jwt
import pytest
from tidegate.identity import tasks
from tidegate.identity.routes import router
from tidegate_kit.auth.models import SigningKeyItem
from tidegate_kit.settings import Settings

from tests.builders.api import ApiClient

PASSWORD = "a long enough password"


@pytest.fixture
def secret(platform: Settings) -> Any:
    """The deployed secret, empty; the published test key is taken away."""
    for item in SigningKeyItem.query("SIGNING_KEYS"):
        item.delete()
    client = boto3.client("secretsmanager", region_name=platform.aws_region)
    client.create_secret(Name=platform.signing_key_ref, SecretString='{"keys":[]}')
    return client


def ring_of(secret: Any, settings: Settings) -> list[dict[str, Any]]:
    text = secret.get_secret_value(SecretId=settings.signing_key_ref)["SecretString"]
    keys: list[dict[str, Any]] = json.loads(text)["keys"]
    return keys


def test_a_fresh_deployment_gets_a_key_and_an_admin_who_can_sign_in(
    platform: Settings, secret: Any
) -> None:
    event = {"email": "Root@Example.com", "password": PASSWORD}
    made = tasks.bootstrap_admin(event, None)
    again = tasks.bootstrap_admin({**event, "password": "another password"}, None)
    assert made["created"] is True
    assert again == {**made, "created": False}
    client = ApiClient([router], platform)
    body = {"email": "root@example.com", "password": PASSWORD}
    tokens = client.post("/auth/login", json=body).json()
    me = client.get("/auth/me", headers={"Authorization": f"Bearer {tokens['access_token']}"})
    assert "admin" in me.json()["roles"]
    assert {"admin:read", "admin:write"} <= set(me.json()["permissions"])
    (entry,) = ring_of(secret, platform)
    published = client.get("/.well-known/jwks.json").json()["keys"]
    assert [key["kid"] for key in published] == [entry["kid"]]
    key = jwt.PyJWK(published[0])
    claims = jwt.decode(tokens["access_token"], key, algorithms=["ES256"], audience="tidegate-api")
    assert claims["tid"] == made["tenant_id"]


def test_rotation_is_idempotent_within_the_hour(platform: Settings, secret: Any) -> None:
    first = tasks.rotate_keys({}, None)
    second = tasks.rotate_keys({}, None)
    assert first == second
    assert [key["status"] for key in first["keys"]] == ["active"]  # type: ignore[attr-defined]
    assert len(ring_of(secret, platform)) == 1


def test_an_existing_account_is_never_made_admin(platform: Settings, secret: Any) -> None:
    tasks.rotate_keys({}, None)
    client = ApiClient([router], platform)
    taken = {
        "email": "eve@example.com", "password": PASSWORD, "first_name": "E", "last_name": "V",
        "company": "Evil",
    }  # fmt: skip
    assert client.post("/auth/register", json=taken).status_code == 201
    with pytest.raises(ValueError, match="no admin"):
        tasks.bootstrap_admin({"email": "eve@example.com", "password": PASSWORD}, None)


def reset_record(email: str, sequence: str = "1") -> dict[str, Any]:
    image = {"pk": {"S": "RESET#x"}, "sk": {"S": "REQUEST"}, "email": {"S": email}}
    return {"eventName": "INSERT", "dynamodb": {"SequenceNumber": sequence, "NewImage": image}}


def test_no_sender_says_so_and_never_logs_the_token(
    platform: Settings, secret: Any, caplog: pytest.LogCaptureFixture
) -> None:
    tasks.bootstrap_admin({"email": "root@example.com", "password": PASSWORD}, None)
    answer = tasks.send_mail({"Records": [reset_record("root@example.com")]}, None)
    assert answer == {"batchItemFailures": []}
    assert "MAIL_FROM is not set" in caplog.text
    assert not any("token=" in str(vars(record)) for record in caplog.records)
