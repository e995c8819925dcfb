"""Profile and settings over the whole pipeline (contract 2.2)."""

from __future__ import annotations

import json

import pytest
from tidegate.profile.fields import TASKS
from tidegate.profile.models import UserDocumentItem
from tidegate.profile.routes import router
from tidegate_kit.settings import Settings

from tests.builders.api import ApiClient
from tests.builders.members import SignedIn, sign_in
from tests.fakes.recorded import vectors


@pytest.fixture
def client(platform: Settings) -> ApiClient:
    return ApiClient([router], platform)


@pytest.fixture
def member(platform: Settings) -> SignedIn:
    return sign_in()


def test_usr_1_nothing_stored_gives_defaults(client: ApiClient, member: SignedIn) -> None:
    profile = client.get("/api/v1/profile", headers=member.headers)
    settings = client.get("/api/v1/settings", headers=member.headers)
    assert (profile.status_code, settings.status_code) == (200, 200)
    assert profile.json() == {
        "user_id": member.user_id, "email": member.email, "username": None,
        "first_name": "Ada", "last_name": "Example", "company": "Example",
        "display_name": "", "bio": "", "avatar_url": None, "time_zone": "UTC", "locale": "en",
        "created_at": None, "updated_at": None,
    }  # fmt: skip
    assert settings.json()["theme"] == "dark"
    assert settings.json()["updated_at"] is None
    assert [settings.json()[f"{task}_model"] for task in TASKS] == ["llama3.2:3b"] * 26


def test_usr_2_put_changes_only_the_keys_sent(client: ApiClient, member: SignedIn) -> None:
    client.put("/v1/profile", json={"bio": "hello", "locale": "de"}, headers=member.headers)
    second = client.put("/v1/profile", json={"locale": None}, headers=member.headers).json()
    assert (second["bio"], second["locale"]) == ("hello", "en")
    assert second["updated_at"] is not None
    assert second == client.get("/v1/profile", headers=member.headers).json()


def test_names_and_profile_change_together_or_not_at_all(
    client: ApiClient, member: SignedIn
) -> None:
    taken = client.put("/v1/profile", json={"username": "ada"}, headers=member.headers)
    assert taken.json()["username"] == "ada"
    other = sign_in()
    refused = client.put("/v1/profile", json={"username": "Ada", "bio": "x"}, headers=other.headers)
    assert refused.status_code == 409
    assert refused.json()["error"]["code"] == "CONSTRAINT_VIOLATION"
    assert refused.json()["error"]["details"] == [{"field": "username", "message": "is taken"}]
    assert client.get("/v1/profile", headers=other.headers).json()["bio"] == ""
    client.put("/v1/profile", json={"username": None}, headers=member.headers)
    again = client.put("/v1/profile", json={"username": "Ada"}, headers=other.headers)
    assert again.json()["username"] == "Ada"


@pytest.mark.parametrize(
    "body",
    [
        {"email": "x@example.com"}, {"user_id": "1"}, {"company": "x"}, {"created_at": "now"},
        {"avatar_url": "http://example.com/a.png"}, {"avatar_url": "https://"},
        {"time_zone": "Mars/Olympus"}, {"locale": "not a locale"}, {"bio": 7},
        {"display_name": "x" * 201}, {"username": "a@b"}, {"first_name": ""},
    ],
)  # fmt: skip
def test_what_the_contract_does_not_allow_is_refused_and_not_written(
    client: ApiClient, member: SignedIn, body: dict[str, object]
) -> None:
    refused = client.put("/v1/profile", json=body, headers=member.headers)
    assert refused.status_code == 422, refused.text
    assert list(UserDocumentItem.query(f"T#{member.tenant_id}#U#{member.user_id}")) == []


def test_settings_refuse_unknown_models_and_fields(client: ApiClient, member: SignedIn) -> None:
    for body in ({"chat_model": "a b"}, {"chat_model": ""}, {"theme": "pink"}, {"x_model": "a"}):
        assert client.put("/v1/settings", json=body, headers=member.headers).status_code == 422
    sent = {"chat_model": "gpt-9:mini", "default_page_size": 50, "theme": "system"}
    stored = client.put("/v1/settings", json=sent, headers=member.headers).json()
    assert {key: stored[key] for key in sent} == sent


def test_another_users_record_is_never_seen(client: ApiClient, member: SignedIn) -> None:
    colleague = sign_in(tenant_id=member.tenant_id)
    client.put("/v1/profile", json={"bio": "mine"}, headers=member.headers)
    assert client.get("/v1/profile", headers=colleague.headers).json()["bio"] == ""


@pytest.mark.hazard("H27")
def test_an_item_of_another_schema_is_read(client: ApiClient, member: SignedIn) -> None:
    """H27: a stored field that is no longer declared, or missing, never makes a 500."""
    item = UserDocumentItem(
        f"T#{member.tenant_id}#U#{member.user_id}", "PROFILE",
        values={"bio": "old", "favourite_colour": "blue"}, schema_version=0,
        created_at="2020-01-01", updated_at="2020-01-01",
    )  # fmt: skip
    from datetime import UTC, datetime

    item.created_at = item.updated_at = datetime(2020, 1, 1, tzinfo=UTC)
    item.save()
    answer = client.get("/v1/profile", headers=member.headers)
    assert answer.status_code == 200
    assert answer.json()["bio"] == "old"


@pytest.mark.hazard("D13")
def test_naughty_strings_survive_or_are_refused(platform: Settings) -> None:
    """D13: every string of the foreign list comes back byte for byte, or is refused with 422."""
    strings = json.loads((vectors("blns.json")).read_text())
    client = ApiClient([router], platform)
    kept = refused = 0
    member = sign_in()
    for index, text in enumerate(strings):
        if index % 90 == 0:
            member = sign_in()
        body = json.dumps({"bio": text}).encode()
        answer = client.put(
            "/v1/profile",
            content=body,
            headers={**member.headers, "content-type": "application/json"},
        )
        assert answer.status_code in (200, 422), (text, answer.text)
        if answer.status_code == 200:
            kept += 1
            assert answer.json()["bio"] == text.strip()
        else:
            refused += 1
    print(f"naughty strings: {kept} kept, {refused} refused")
    assert kept > refused
