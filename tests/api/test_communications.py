"""Communications, connection tests and health over the whole pipeline (contract 2.4)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import httpx
import pytest
from tidegate.integrations.routes import router
from tidegate.workflows.routes import router as workflows
from tidegate_kit.idempotency import DynamoIdempotencyStore
from tidegate_kit.ids import new_id
from tidegate_kit.settings import Settings
from tidegate_kit.tenancy import UserScope

from tests.builders.api import ApiClient
from tests.builders.communications import (
    INSTAGRAM,
    MAIL,
    TWITTER,
    RecordingSes,
    add_targets,
    connect,
    install_ses,
)
from tests.builders.members import SignedIn, sign_in
from tests.builders.settings import PREFIX, REGION
from tests.builders.workflows import ENVIRONMENT, follow_stream, install_engine, make_bucket
from tests.fakes.local_server import json_app, serving
from tests.fakes.social.instagram import FakeInstagram
from tests.fakes.social.smtp import FakeMailServer
from tests.fakes.social.twitter import FakeTwitter
from tests.fakes.tables import dump_tables
from tests.fakes.workflows import EngineMachines

INITIATE = "/user/orchestrator/initiate-communications"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def engine(platform: Settings, monkeypatch: pytest.MonkeyPatch) -> EngineMachines:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    make_bucket()
    return install_engine(monkeypatch)


@pytest.fixture
def client(engine: EngineMachines, platform: Settings) -> ApiClient:
    return ApiClient([router, workflows], platform)


@pytest.fixture
def ses(engine: EngineMachines, monkeypatch: pytest.MonkeyPatch) -> RecordingSes:
    return install_ses(monkeypatch)


@pytest.fixture
def x(engine: EngineMachines, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeTwitter]:
    server = FakeTwitter(lambda: datetime.now(UTC))
    with serving(json_app(server)) as url:
        monkeypatch.setenv("TWITTER_BASE_URL", url)
        yield server


@pytest.fixture
def insta(engine: EngineMachines, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeInstagram]:
    server = FakeInstagram(lambda: datetime.now(UTC))
    with serving(json_app(server)) as url:
        monkeypatch.setenv("INSTAGRAM_BASE_URL", f"{url}/v24.0")
        yield server


@pytest.fixture
def member(platform: Settings) -> SignedIn:
    return sign_in()


def scope_of(member: SignedIn) -> UserScope:
    return UserScope(member.tenant_id, member.user_id)


def initiate(client: ApiClient, member: SignedIn, key: str | None = None, **body: Any) -> Any:
    headers = member.headers | ({"Idempotency-Key": key} if key else {})
    return client.post(INITIATE, json={"message": "Hello there", **body}, headers=headers)


def test_int_4_every_target_gets_a_message_by_every_channel(
    client: ApiClient, member: SignedIn, engine: EngineMachines, ses: RecordingSes,
    x: FakeTwitter, insta: FakeInstagram,
) -> None:  # fmt: skip
    """INT-4: the answer comes before anything is sent, and names a real execution."""
    scope = scope_of(member)
    connect(scope, MAIL, TWITTER, INSTAGRAM)
    targets = add_targets(scope, 3, NOW)
    for target in targets:
        x.add_user(target.twitter_username or "")
        insta.add_person(target.instagram_username or "")
    answer = initiate(client, member, subject="News")
    assert answer.status_code == 202, answer.text
    started = answer.json()
    assert (started["status"], started["target_count"], started["skipped"]) == ("running", 3, [])
    assert (ses.taken, x.events, insta.messages) == ([], [], [])
    follow_stream()
    assert [ses.sent_to(f"person{n}@example.com") for n in range(3)] == [1, 1, 1]
    assert [x.sent_to(f"person{n}") for n in range(3)] == [["Hello there"]] * 3
    assert [insta.sent_to(f"person{n}") for n in range(3)] == [["Hello there"]] * 3
    assert ses.taken[0]["Content"]["Simple"]["Subject"]["Data"] == "News"
    path = f"/workflows/executions/{started['execution_id']}"
    run = client.get(path, headers=member.headers).json()
    assert (run["status"], run["trigger"], run["workflow_id"]) == (
        "completed", "orchestrator", started["workflow_id"],
    )  # fmt: skip
    sent = [one["sent"][0] for one in run["output_data"]["results"]]
    assert {one["target_id"] for one in sent} == {target.id for target in targets}
    assert len({one["message_id"] for one in sent}) == 9
    # A second call is another execution of the same workflow.
    again = initiate(client, member).json()
    assert again["workflow_id"] == started["workflow_id"]
    assert again["execution_id"] != started["execution_id"]


@pytest.mark.hazard("E16")
@pytest.mark.bite("tidegate.integrations.orchestrator.id_from", lambda text: new_id())
def test_the_same_key_is_the_same_execution(
    client: ApiClient, member: SignedIn, engine: EngineMachines, ses: RecordingSes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """E16: an initiate whose answer was lost, sent again under its key, sends nothing twice."""
    scope = scope_of(member)
    connect(scope, MAIL)
    add_targets(scope, 2, NOW)
    # Neither call finds what the other one kept, as when the first died before it kept anything.
    monkeypatch.setattr(DynamoIdempotencyStore, "begin", lambda *args: None)
    monkeypatch.setattr(DynamoIdempotencyStore, "finish", lambda *args: None)
    first = initiate(client, member, "key-1")
    follow_stream()
    second = initiate(client, member, "key-1")
    follow_stream()
    assert first.json()["execution_id"] == second.json()["execution_id"]
    assert len(ses.taken) == 2


def test_a_target_without_a_name_is_skipped_and_told(
    client: ApiClient, member: SignedIn, ses: RecordingSes, x: FakeTwitter
) -> None:
    scope = scope_of(member)
    connect(scope, MAIL, TWITTER)
    both, mail_only = (
        client.post(
            "/user/communication-targets", json={"name": "T", **names}, headers=member.headers
        ).json()["id"]
        for names in (
            {"email": "a@example.com", "twitter_username": "ada"},
            {"email": "b@example.com"},
        )
    )
    x.add_user("ada")
    stranger = new_id()
    answer = initiate(client, member, target_ids=[both, mail_only, stranger, both]).json()
    assert answer["target_count"] == 2
    assert answer["skipped"] == [
        {"target_id": stranger, "reason": "no such target"},
        {"target_id": mail_only, "reason": "no name for twitter"},
    ]
    follow_stream()
    assert (len(ses.taken), x.sent_to("ada")) == (2, ["Hello there"])


def test_what_cannot_be_sent_is_refused(
    client: ApiClient, member: SignedIn, ses: RecordingSes
) -> None:
    def code(**body: Any) -> tuple[int, str]:
        answer = initiate(client, member, **body)
        return answer.status_code, answer.json()["error"]["code"]

    assert code() == (409, "INTEGRATION_REQUIRED")
    connect(scope_of(member), MAIL, INSTAGRAM)
    assert code() == (422, "NO_TARGETS")
    add_targets(scope_of(member), 1, NOW)
    assert code(channels=["twitter"]) == (409, "INTEGRATION_REQUIRED")
    assert code(target_ids=[new_id()]) == (422, "NO_TARGETS")
    for wrong in (
        {"message": None}, {"template": "approval_template"}, {"channels": []},
        {"channels": ["fax"]}, {"target_ids": ["x"]}, {"message": "x" * 5001},
        {"variables": {"a": 1}}, {"message": "x" * 1001}, {"unknown": 1}, {"subject": "a\nb"},
        {"target_ids": [new_id() for _ in range(201)]},
    ):  # fmt: skip
        assert code(**wrong) == (422, "VALIDATION_ERROR"), wrong
    unknown = client.post(INITIATE, json={"template": "nothing"}, headers=member.headers)
    assert unknown.status_code == 422
    assert ses.taken == []


def test_a_template_lists_its_variables(
    client: ApiClient, member: SignedIn, ses: RecordingSes
) -> None:
    connect(scope_of(member), MAIL)
    add_targets(scope_of(member), 1, NOW)
    body = {"template": "notification_template", "variables": {"case": "{{secrets.x}}", "n": 2}}
    answer = client.post(INITIATE, json=body, headers=member.headers)
    assert answer.status_code == 202, answer.text
    follow_stream()
    (sent,) = ses.taken
    text = sent["Content"]["Simple"]["Body"]["Text"]["Data"]
    assert "case: {{secrets.x}}" in text  # a value is text, never a template (E5)
    assert sent["Content"]["Simple"]["Subject"]["Data"] == "Notification"


def test_one_that_fails_keeps_no_other_from_its_message(
    client: ApiClient, member: SignedIn, x: FakeTwitter, engine: EngineMachines
) -> None:
    scope = scope_of(member)
    connect(scope, TWITTER)
    add_targets(scope, 3, NOW)
    x.add_user("person0")
    x.add_user("person2")
    x.limited = 2  # tried again, as the provider asks
    started = initiate(client, member).json()
    follow_stream()
    engine.settle(10**6)
    path = f"/workflows/executions/{started['execution_id']}"
    run = client.get(path, headers=member.headers).json()
    assert run["status"] == "completed"
    (error,) = [one for one in run["output_data"]["errors"] if one]
    assert error["code"] == "RECIPIENT_UNKNOWN"
    assert (x.sent_to("person0"), x.sent_to("person2")) == (["Hello there"], ["Hello there"])


def test_a_deleted_or_switched_off_workflow_is_made_anew(
    client: ApiClient, member: SignedIn, ses: RecordingSes
) -> None:
    connect(scope_of(member), MAIL)
    add_targets(scope_of(member), 1, NOW)
    first = initiate(client, member).json()["workflow_id"]
    assert client.delete(f"/workflows/{first}", headers=member.headers).status_code == 200
    second = initiate(client, member).json()["workflow_id"]
    off = client.put(f"/workflows/{second}", json={"is_active": False}, headers=member.headers)
    assert off.status_code == 200, off.text
    third = initiate(client, member).json()["workflow_id"]
    assert len({first, second, third}) == 3
    # What a user makes of the definition changes nothing of what we run.
    read = client.get(f"/workflows/{third}", headers=member.headers).json()
    broken = {**read["definition"], "nodes": read["definition"]["nodes"][:1], "edges": []}
    client.put(f"/workflows/{third}", json={"definition": broken}, headers=member.headers)
    assert initiate(client, member).json()["workflow_id"] == third
    follow_stream()
    assert len(ses.taken) == 4


@pytest.mark.hazard("B1")
@pytest.mark.bite("tidegate_kit.tenancy.UserScope.pk", lambda scope: "T#one#U#one")
def test_targets_and_accounts_of_others_are_out_of_reach(
    client: ApiClient, member: SignedIn, ses: RecordingSes
) -> None:
    """B1: targets of a colleague and accounts of another tenant count as absent."""
    colleague = sign_in(tenant_id=member.tenant_id)
    connect(scope_of(colleague), MAIL)
    theirs = add_targets(scope_of(colleague), 1, NOW)
    assert _refusal(initiate(client, member)) == "INTEGRATION_REQUIRED"
    connect(scope_of(member), MAIL)
    refused = initiate(client, member, target_ids=[theirs[0].id])
    assert _refusal(refused) == "NO_TARGETS"
    for method, path in (("POST", "test"), ("GET", "health")):
        absent = f"/user/integrations/accounts/{TWITTER.account_id}/{path}"
        assert client.request(method, absent, headers=member.headers).status_code == 404
    assert ses.taken == []


def _refusal(answer: httpx.Response) -> str | None:
    """The code of an error; None where the call was let through."""
    code: str | None = answer.json().get("error", {}).get("code")
    return code


ACCOUNTS = "/user/integrations/accounts"


def check(client: ApiClient, member: SignedIn, account_id: str) -> tuple[int, Any]:
    answer = client.post(f"{ACCOUNTS}/{account_id}/test", headers=member.headers)
    return answer.status_code, answer.json()


def test_each_type_of_account_is_tested_at_its_provider(
    client: ApiClient, member: SignedIn, ses: RecordingSes, x: FakeTwitter, insta: FakeInstagram
) -> None:
    scope = scope_of(member)
    connect(scope, MAIL, TWITTER, INSTAGRAM)
    mail = FakeMailServer()
    crm = FakeCrm()
    with mail.serving() as port, serving(json_app(crm)) as url:
        for body in (
            {"account_id": "smtp", "account_type": "email", "configuration": {
                "provider": "smtp", "host": "localhost", "port": port, "username": "ada",
                "password": mail.password, "from_address": "ops@example.com"}},
            {"account_id": "crm", "account_type": "crm", "configuration": {
                "base_url": f"{url}/v1", "api_key": "crm-key-canary"}},
        ):  # fmt: skip
            stored = client.post(ACCOUNTS, json=body, headers=member.headers)
            assert stored.status_code == 200, stored.text
        for account_id in ("mail", "tw", "ig", "smtp", "crm"):
            status, body = check(client, member, account_id)
            assert status == 200, (account_id, body)
            assert (body["account_id"], body["ok"]) == (account_id, True)
            assert body["latency_ms"] >= 0
        assert crm.keys == ["crm-key-canary"]
        assert mail.taken == []
        crm.status = 401
        status, body = check(client, member, "crm")
        assert (status, body["error"]["code"]) == (422, "INTEGRATION_TEST_FAILED")
        assert body["error"]["details"] == [
            {"field": "configuration", "message": "ACCOUNT_REFUSED"}
        ]
        assert "canary" not in str(body)


class FakeCrm:
    """An API that knows one key."""

    def __init__(self) -> None:
        self.status = 200
        self.keys: list[str] = []

    def __call__(self, request: Any) -> tuple[int, dict[str, Any]]:
        self.keys.append(request.token)
        return self.status, {}


def test_health_follows_the_tests(
    client: ApiClient, member: SignedIn, x: FakeTwitter, platform: Settings
) -> None:
    def health() -> dict[str, Any]:
        answer = client.get(f"{ACCOUNTS}/tw/health", headers=member.headers)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    connect(scope_of(member), TWITTER)
    assert health() == {
        "account_id": "tw", "status": "unknown", "last_checked_at": None,
        "last_success_at": None, "last_error": None,
    }  # fmt: skip
    assert check(client, member, "tw")[0] == 200
    assert (health()["status"], health()["last_error"]) == ("healthy", None)
    seen = []
    for _ in range(3):
        x.limited = 1
        status, body = check(client, member, "tw")
        assert (status, body["error"]["code"]) == (422, "INTEGRATION_TEST_FAILED")
        seen.append(health()["status"])
    assert seen == ["degraded", "degraded", "unhealthy"]
    bad = health()
    assert bad["last_error"] == "The provider asks for patience."
    assert bad["last_success_at"] < bad["last_checked_at"]
    assert check(client, member, "tw")[0] == 200
    assert health()["status"] == "healthy"
    # A new account of the same id starts anew.
    assert client.delete(f"{ACCOUNTS}/tw", headers=member.headers).status_code == 200
    assert client.get(f"{ACCOUNTS}/tw/health", headers=member.headers).status_code == 404
    connect(scope_of(member), TWITTER)
    assert health()["status"] == "unknown"
    assert check(client, member, "tw")[0] == 200
    assert health()["status"] == "healthy"


def test_an_account_that_names_no_provider_fails_its_test(
    client: ApiClient, member: SignedIn
) -> None:
    for account_id, kind, configuration in (
        ("s", "social", {"note": "x"}),
        ("cal", "calendar", {"provider": "google"}),
    ):
        body = {
            "account_id": account_id, "account_type": kind, "configuration": configuration,
        }  # fmt: skip
        assert client.post(ACCOUNTS, json=body, headers=member.headers).status_code == 200
    details = {}
    for account_id in ("s", "cal"):
        status, body = check(client, member, account_id)
        assert (status, body["error"]["code"]) == (422, "INTEGRATION_TEST_FAILED")
        details[account_id] = body["error"]["details"][0]["message"]
    assert details == {"s": "UNKNOWN_PROVIDER", "cal": "NO_OAUTH_TOKEN"}


def test_no_credential_is_stored_in_the_open(
    client: ApiClient, member: SignedIn, ses: RecordingSes, x: FakeTwitter
) -> None:
    scope = scope_of(member)
    connect(scope, MAIL, TWITTER)
    add_targets(scope, 1, NOW)
    x.add_user("person0")
    initiate(client, member)
    follow_stream()
    check(client, member, "tw")
    names = [f"{PREFIX}-integrations", f"{PREFIX}-workflows", f"{PREFIX}-platform"]
    stored = repr(dump_tables(boto3.client("dynamodb", region_name=REGION), names))
    assert "canary" not in stored
    assert "person0@example.com" not in repr(
        dump_tables(boto3.client("dynamodb", region_name=REGION), [f"{PREFIX}-workflows"])
    )
