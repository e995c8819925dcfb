"""Profile, calendar, integrations and communications on the local cloud (contract 2.2 to 2.4)."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from tidegate import routers
from tidegate_kit.clock import system_clock
from tidegate_kit.ids import new_id

from tests.builders.workflows import chain, node
from tests.e2e.conftest import Owner, RunningCloud
from tests.fakes.local_server import Problem, Request, json_app, serving
from tests.fakes.social import instagram, twitter
from tests.fakes.social.instagram import FakeInstagram
from tests.fakes.social.smtp import FakeMailServer
from tests.fakes.social.twitter import FakeTwitter

ACCOUNTS = "/api/user/integrations/accounts"
TARGETS = "/api/user/communication-targets"
INITIATE = "/api/user/orchestrator/initiate-communications"
CALENDAR = "/api/v1/calendar"
CHAPTERS = ("profile", "calendar", "integrations")
_PATIENCE = 90.0


class Social:
    """X and Instagram on one port, and a foreign API that knows a key."""

    def __init__(self) -> None:
        self.x = FakeTwitter(system_clock)
        self.instagram = FakeInstagram(system_clock)
        self.crm_keys: list[str] = []

    def __call__(self, request: Request) -> tuple[int, dict[str, Any]]:
        if request.path.startswith("/2/"):
            return self.x(request)
        if request.path.startswith("/v24.0/"):
            return self.instagram(request)
        if request.path == "/crm":
            self.crm_keys.append(request.token)
            return 200, {}
        raise Problem(404, {})


@pytest.fixture
def social(cloud: RunningCloud) -> Iterator[Social]:
    made = Social()
    with serving(json_app(made), cloud.social_port):
        yield made


class Recorder:
    """An HTTP client that notes which declared route each call was."""

    def __init__(self, http: httpx.Client) -> None:
        self.http = http
        self.called: set[str] = set()
        self._routes = [
            (spec, re.compile(re.sub(r"\{[^}]+\}", "[^/]+", spec.path)))
            for spec in sorted(routers.all_specs(), key=lambda spec: spec.path.count("{"))
        ]

    def __call__(self, method: str, path: str, expected: int = 200, **options: Any) -> Any:
        """A call under /api; gives the JSON of the answer."""
        bare = path.removeprefix("/api").partition("?")[0]
        for spec, pattern in self._routes:
            if spec.method == method and pattern.fullmatch(bare):
                self.called.add(spec.name)
                break
        answer = self.http.request(method, path, **options)
        assert answer.status_code == expected, f"{method} {path}: {answer.text}"
        kind = answer.headers.get("content-type", "")
        return answer.json() if kind.startswith("application/json") else answer.text


def declared() -> set[str]:
    return {spec.name for spec in routers.all_specs() if spec.domain in CHAPTERS}


def test_every_route_of_the_chapters_answers(
    new_owner: Callable[[], Owner], cloud: RunningCloud, social: Social
) -> None:
    """Every route of 2.2, 2.3 and 2.4 over HTTP (USR-1, USR-2, CAL-1, INT-1 to INT-4)."""
    call = Recorder(new_owner().http)
    _profile(call)
    _calendar(call, cloud)
    _accounts(call, cloud, social)
    _targets_and_secrets(call)
    _webhooks(call)
    assert declared() - call.called == set()


def _profile(call: Recorder) -> None:
    assert call("GET", "/api/v1/profile")["locale"] == "en"
    changed = call("PUT", "/api/v1/profile", json={"display_name": "Ada"})
    assert changed["display_name"] == "Ada"
    assert call("GET", "/api/v1/settings")["theme"] == "dark"
    assert call("PUT", "/api/v1/settings", json={"theme": "light"})["theme"] == "light"
    assert call("PUT", "/api/v1/settings", json={"theme": None})["theme"] == "dark"


def _calendar(call: Recorder, cloud: RunningCloud) -> None:
    event = call(
        "POST", f"{CALENDAR}/events", 201,
        json={"title": "Review", "start": "2026-03-02T10:00:00Z", "end": "2026-03-02T11:00:00Z"},
    )  # fmt: skip
    assert call("GET", f"{CALENDAR}/events/{event['id']}") == event
    call("PUT", f"{CALENDAR}/events/{event['id']}", json={"title": "Renamed"})
    assert call("GET", f"{CALENDAR}/events")["total"] == 1
    file = call("GET", f"{CALENDAR}/export.ics")
    headers = {"Content-Type": "text/calendar"}
    counts = call("POST", f"{CALENDAR}/import", content=file.encode(), headers=headers)
    assert counts["created"] == 0
    call("DELETE", f"{CALENDAR}/events/{event['id']}")
    task = call("POST", f"{CALENDAR}/tasks", 201, json={"title": "Pay"})
    call("GET", f"{CALENDAR}/tasks/{task['id']}")
    call("PUT", f"{CALENDAR}/tasks/{task['id']}", json={"status": "done"})
    call("GET", f"{CALENDAR}/tasks?status=done")
    call("DELETE", f"{CALENDAR}/tasks/{task['id']}")
    assert call("GET", f"{CALENDAR}/oauth")["connected"] is False
    redirect = {"redirect_uri": f"{cloud.config.api_url}/connected"}
    assert call("POST", f"{CALENDAR}/oauth/start", json=redirect)["authorization_url"]
    call("POST", f"{CALENDAR}/oauth/complete", 400, json={"code": "x", "state": "unknown"})
    call("POST", f"{CALENDAR}/sync/auto", 409)
    call("DELETE", f"{CALENDAR}/oauth", 404)


def _accounts(call: Recorder, cloud: RunningCloud, social: Social) -> None:
    accounts = [
        {"account_id": "tw", "account_type": "social", "configuration": {
            "provider": "twitter", "access_token": twitter.TOKEN}},
        {"account_id": "ig", "account_type": "social", "configuration": {
            "provider": "instagram", "access_token": instagram.TOKEN}},
        {"account_id": "mail", "account_type": "email", "configuration": {"provider": "ses"}},
        {"account_id": "cal", "account_type": "calendar",
         "configuration": {"provider": "google"}},
    ]  # fmt: skip
    batch = call("POST", f"{ACCOUNTS}/batch", json={"accounts": accounts})
    assert (batch["created"], batch["updated"]) == (4, 0)
    crm = {"base_url": f"http://127.0.0.1:{cloud.social_port}/crm", "api_key": "crm-key-4711"}
    made = call("POST", ACCOUNTS, json={
        "account_id": "crm", "account_type": "crm", "configuration": crm})  # fmt: skip
    assert made["configuration"]["api_key"] == "***4711"
    assert call("GET", ACCOUNTS)["total"] == 5
    assert call("GET", f"{ACCOUNTS}/tw")["connected"] is True
    assert len(call("GET", "/api/user/tools")["tools"]) == 5
    for account_id in ("tw", "ig", "mail", "crm"):
        assert call("POST", f"{ACCOUNTS}/{account_id}/test")["ok"] is True
        assert call("GET", f"{ACCOUNTS}/{account_id}/health")["status"] == "healthy"
    refused = call("POST", f"{ACCOUNTS}/cal/test", 422)
    assert refused["error"]["code"] == "INTEGRATION_TEST_FAILED"
    assert call("GET", f"{ACCOUNTS}/cal/health")["status"] == "unhealthy"
    assert social.crm_keys == ["crm-key-4711"]
    gone = call("DELETE", f"{ACCOUNTS}/crm")
    assert gone == {"account_id": "crm", "connected": False, "deleted": True}
    call("GET", f"{ACCOUNTS}/crm", 404)


def _targets_and_secrets(call: Recorder) -> None:
    target = call("POST", TARGETS, json={"name": "Bob", "email": "bob@example.com"})
    path = f"{TARGETS}/{target['id']}"
    assert call("GET", path) == target
    assert call("PUT", path, json={"name": "Bob", "notes": "n"})["email"] is None
    assert call("GET", TARGETS)["total"] == 1
    call("POST", INITIATE, 422, json={"message": "Hello"})  # nobody can be written to
    call("DELETE", path)
    call("GET", path, 404)
    call("PUT", "/api/user/secrets/api_key", json={"value": "canary-4711"})
    assert "canary" not in str(call("GET", "/api/user/secrets"))
    call("DELETE", "/api/user/secrets/api_key")


def _webhooks(call: Recorder) -> None:
    base = "/api/user/webhooks"
    made = call("POST", base, 201, json={"url": "https://example.com/in"})
    path = f"{base}/{made['id']}"
    call("GET", base)
    call("GET", path)
    call("PATCH", path, json={"enabled": False})
    call("POST", f"{path}/rotate-secret")
    call("GET", f"{path}/deliveries")
    call("POST", f"{path}/deliveries/{new_id()}/redeliver", 404)
    call("DELETE", path)


def ended(http: httpx.Client, execution_id: str) -> dict[str, Any]:
    """The execution when it has ended: the cloud works at its own pace."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        seen: dict[str, Any] = http.get(f"/api/workflows/executions/{execution_id}").json()
        if seen["status"] in {"completed", "failed", "cancelled", "timed_out"}:
            return seen
        assert time.monotonic() < deadline, f"never ended: {seen}"
        time.sleep(0.3)


def mails_to(cloud: RunningCloud, address: str) -> list[dict[str, Any]]:
    """What the local SES has sent to an address."""
    url = f"{cloud.config.aws_endpoint}/_ministack/ses/messages"
    found = httpx.get(url, params={"account": cloud.config.platform_account}).json()
    return [one for one in _messages(found) if address in one.get("To", [])]


def _messages(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        if "MessageId" in node:
            yield node
            return
        node = list(node.values())
    if isinstance(node, list):
        for one in node:
            yield from _messages(one)


def test_communications_reach_every_channel(
    new_owner: Callable[[], Owner], cloud: RunningCloud, social: Social
) -> None:
    """INT-4: e-mail through SES, and twitter and instagram through their APIs, once each."""
    owner = new_owner()
    http = owner.http
    accounts = [
        {"account_id": "tw", "account_type": "social", "configuration": {
            "provider": "twitter", "access_token": twitter.TOKEN}},
        {"account_id": "ig", "account_type": "social", "configuration": {
            "provider": "instagram", "access_token": instagram.TOKEN}},
        {"account_id": "mail", "account_type": "email", "configuration": {"provider": "ses"}},
    ]  # fmt: skip
    assert http.post(f"{ACCOUNTS}/batch", json={"accounts": accounts}).status_code == 200
    names = [f"p{new_id()[:8]}" for _ in range(3)]
    for name in names:
        social.x.add_user(name)
        social.instagram.add_person(name)
        body = {
            "name": name, "email": f"{name}@example.com", "twitter_username": name,
            "instagram_username": name,
        }  # fmt: skip
        assert http.post(TARGETS, json=body).status_code == 200
    started = http.post(INITIATE, json={"message": "Hello", "subject": "News"})
    assert started.status_code == 202, started.text
    assert started.json()["target_count"] == 3
    run = ended(http, started.json()["execution_id"])
    assert run["status"] == "completed", run
    assert [one for one in run["output_data"]["errors"] if one] == []
    for name in names:
        assert social.x.sent_to(name) == social.instagram.sent_to(name) == ["Hello"]
        (mail,) = mails_to(cloud, f"{name}@example.com")
        assert (mail["Subject"], mail["BodyText"]) == ("News", "Hello")


def test_effect_nodes_use_accounts_secrets_and_the_calendar(
    new_owner: Callable[[], Owner], cloud: RunningCloud, social: Social
) -> None:
    """Message, e-mail by an SMTP account, calendar_event and a secret in an http node."""
    http = new_owner().http
    social.x.add_user("ada")
    mail = FakeMailServer()
    with mail.serving() as port:
        accounts = [
            {"account_id": "tw", "account_type": "social", "configuration": {
                "provider": "twitter", "access_token": twitter.TOKEN}},
            {"account_id": "smtp", "account_type": "email", "configuration": {
                "provider": "smtp", "host": "localhost", "port": port, "username": "ada",
                "password": mail.password, "from_address": "ops@example.com"}},
        ]  # fmt: skip
        assert http.post(f"{ACCOUNTS}/batch", json={"accounts": accounts}).status_code == 200
        target = http.post(TARGETS, json={"name": "Ada", "twitter_username": "ada"}).json()
        assert http.put("/api/user/secrets/crm", json={"value": "canary-4711"}).status_code == 200
        definition = chain(
            node("tell", "message", target_id=target["id"], channel="twitter", text="Hi"),
            node("mail", "email", to="b@example.com", subject="S", body="B", account_id="smtp"),
            node("meet", "calendar_event", title="Meeting", start="2026-03-02T10:00:00Z",
                 end="2026-03-02T11:00:00Z"),
            node("call", "http", method="GET",
                 url=f"http://127.0.0.1:{cloud.social_port}/crm",
                 headers={"Authorization": "Bearer {{secrets.crm}}"}),
        )  # fmt: skip
        made = http.post("/api/workflows", json={"name": "W", "definition": definition})
        assert made.status_code == 201, made.text
        started = http.post(f"/api/workflows/{made.json()['id']}/execute", json={})
        run = ended(http, started.json()["execution_id"])
    assert run["status"] == "completed", run
    assert social.x.sent_to("ada") == ["Hi"]
    assert [recipients for _, recipients, _ in mail.taken] == [["b@example.com"]]
    assert social.crm_keys == ["canary-4711"]
    (event,) = http.get(f"{CALENDAR}/events").json()["events"]
    assert event["title"] == "Meeting"
    assert "canary-4711" not in str(run)
    logs = cloud.config.log_dir
    assert all("canary-4711" not in path.read_text() for path in logs.glob("*.log"))
