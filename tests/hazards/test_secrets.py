"""A tenant's secrets in steps: used there, seen nowhere (E7, E21, WF-15)."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from tidegate.integrations.routes import router as integrations
from tidegate.workflows.routes import router
from tidegate_kit.settings import Settings

from tests.builders.api import ApiClient
from tests.builders.members import SignedIn, sign_in
from tests.builders.settings import PREFIX, REGION
from tests.builders.workflows import (
    BUCKET,
    ENVIRONMENT,
    chain,
    follow_stream,
    install_engine,
    make_bucket,
    node,
)
from tests.fakes.local_server import Request, json_app, serving
from tests.fakes.tables import dump_tables
from tests.fakes.workflows import EngineMachines

CANARY = "canary-4711-tenant-secret"


class Api:
    """A foreign API that repeats what it is told."""

    def __init__(self) -> None:
        self.tokens: list[str] = []
        self.status = 200

    def __call__(self, request: Request) -> tuple[int, dict[str, Any]]:
        self.tokens.append(request.token)
        return self.status, {"you_said": request.token, "deep": [{"and": request.token}]}


@pytest.fixture
def engine(platform: Settings, monkeypatch: pytest.MonkeyPatch) -> EngineMachines:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    make_bucket()
    return install_engine(monkeypatch)


@pytest.fixture
def client(engine: EngineMachines, platform: Settings) -> ApiClient:
    return ApiClient([router, integrations], platform)


@pytest.fixture
def member(platform: Settings) -> SignedIn:
    return sign_in()


@pytest.fixture
def api() -> Iterator[tuple[Api, str]]:
    server = Api()
    with serving(json_app(server)) as url:
        yield server, url


def keep(client: ApiClient, member: SignedIn, name: str, value: str = CANARY) -> None:
    answer = client.put(f"/user/secrets/{name}", json={"value": value}, headers=member.headers)
    assert answer.status_code == 200, answer.text


def save(client: ApiClient, member: SignedIn, url: str, name: str = "api_key") -> Any:
    call = node(
        "call", "http", method="GET", url=url,
        headers={"Authorization": f"Bearer {{{{secrets.{name}}}}}"},
    )  # fmt: skip
    copy = node("copy", output={"all": "{{nodes.call.output.body}}"})
    body = {"name": "W", "definition": chain(call, copy)}
    return client.post("/workflows", json=body, headers=member.headers)


def run(client: ApiClient, member: SignedIn, workflow_id: str) -> dict[str, Any]:
    path = f"/workflows/{workflow_id}/execute"
    started = client.post(path, json={}, headers=member.headers).json()
    follow_stream()
    read = client.get(f"/workflows/executions/{started['execution_id']}", headers=member.headers)
    found: dict[str, Any] = read.json()
    return found


def everything(engine: EngineMachines) -> str:
    """All that is stored or handed about: tables, objects, machines' inputs and outputs."""
    names = [f"{PREFIX}-{name}" for name in ("workflows", "integrations", "platform")]
    tables = dump_tables(boto3.client("dynamodb", region_name=REGION), names)
    s3 = boto3.client("s3", region_name=REGION)
    objects = [
        s3.get_object(Bucket=BUCKET, Key=one["Key"])["Body"].read().decode()
        for one in s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])
    ]
    machines = json.dumps(engine.machines) + json.dumps(engine.calls)
    return repr(tables) + "".join(objects) + machines


@pytest.mark.hazard("E21")
@pytest.mark.bite("tidegate.workflows.nodes.runner.redact", lambda value, secrets: value)
def test_a_secret_is_used_in_the_step_and_seen_nowhere(
    client: ApiClient, member: SignedIn, engine: EngineMachines, api: tuple[Api, str],
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """E21: a secret is in no record, object, machine, answer or log; it is shown as ***."""
    server, url = api
    keep(client, member, "api_key")
    saved = save(client, member, url)
    assert saved.status_code == 201, saved.text
    assert "warnings" not in saved.json()
    with caplog.at_level(logging.DEBUG):
        ended = run(client, member, saved.json()["id"])
    assert server.tokens == [CANARY]
    assert ended["status"] == "completed", ended
    assert ended["output_data"]["all"] == {"you_said": "***", "deep": [{"and": "***"}]}
    logs = client.get(f"/logs/executions/{ended['id']}", headers=member.headers).text
    captured = capsys.readouterr()
    seen = json.dumps(ended) + logs + caplog.text + captured.out + captured.err
    assert CANARY not in seen
    assert CANARY not in everything(engine)


@pytest.mark.hazard("E7")
@pytest.mark.bite("tidegate.workflows.ports.names._Names.__contains__", returns=True)
def test_an_undeclared_secret_is_refused_when_saved(
    client: ApiClient, member: SignedIn, api: tuple[Api, str]
) -> None:
    """E7: a name that the tenant has no secret of, or another tenant's, is 422 at save."""
    stranger = sign_in()
    keep(client, stranger, "theirs")
    keep(client, member, "api_key")
    for name in ("missing", "theirs"):
        refused = save(client, member, api[1], name)
        assert refused.status_code == 422
        (detail,) = refused.json()["error"]["details"]
        assert detail["message"].startswith("UNKNOWN_REFERENCE")
    assert save(client, member, api[1]).status_code == 201


@pytest.mark.hazard("E7")
@pytest.mark.bite(
    "tidegate.workflows.ports.secrets.integrations.secret", lambda scope, name: CANARY
)
def test_a_secret_that_has_gone_fails_the_step(
    client: ApiClient, member: SignedIn, api: tuple[Api, str]
) -> None:
    """E7: a secret deleted after the save is refused again at the run, and nothing is called."""
    server, url = api
    keep(client, member, "api_key")
    workflow_id = save(client, member, url).json()["id"]
    gone = client.delete("/user/secrets/api_key", headers=member.headers)
    assert gone.status_code == 200
    ended = run(client, member, workflow_id)
    assert ended["status"] == "failed"
    assert ended["error"]["code"] == "UNKNOWN_REFERENCE"
    assert server.tokens == []


def test_a_changed_secret_is_used_from_the_next_step_on(
    client: ApiClient, member: SignedIn, api: tuple[Api, str]
) -> None:
    server, url = api
    keep(client, member, "api_key", "first-value")
    workflow_id = save(client, member, url).json()["id"]
    run(client, member, workflow_id)
    keep(client, member, "api_key", "second-value")
    run(client, member, workflow_id)
    assert server.tokens == ["first-value", "second-value"]
