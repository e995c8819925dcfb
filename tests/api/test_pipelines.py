"""Routes of contract 2.14 through the whole pipeline."""

from __future__ import annotations

import json
from collections.abc import Iterator

import boto3
import pytest
from tidegate.pipelines import wiring
from tidegate.pipelines.routes import router
from tidegate_kit.settings import Settings, settings_of

from tests.builders.api import ApiClient
from tests.builders.members import SignedIn, sign_in
from tests.builders.settings import PLATFORM_ACCOUNT, REGION

MACHINE = f"arn:aws:states:{REGION}:{PLATFORM_ACCOUNT}:stateMachine:tidegate-test-pipeline"
SCAN = "/pipelines/inventory-scan"


@pytest.fixture
def client(platform: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiClient]:
    monkeypatch.setenv("DATA_BUCKET", "tidegate-test-data")
    monkeypatch.setenv("PIPELINE_MACHINE_ARN", MACHINE)
    monkeypatch.setenv("DISCOVERY_MACHINE_ARN", MACHINE)
    settings_of.cache_clear()
    states = {"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 60, "End": True}}}
    boto3.client("stepfunctions", region_name=REGION).create_state_machine(
        name="tidegate-test-pipeline",
        definition=json.dumps(states),
        roleArn=f"arn:aws:iam::{PLATFORM_ACCOUNT}:role/machine",
    )
    yield ApiClient([router], platform)
    settings_of.cache_clear()


@pytest.fixture
def owner(client: ApiClient) -> SignedIn:
    return sign_in(is_owner=True)


def error_of(answer: object) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]  # type: ignore[attr-defined]


def started_machines() -> list[str]:
    states = boto3.client("stepfunctions", region_name=REGION)
    found = states.list_executions(stateMachineArn=MACHINE)["executions"]
    return [one["name"] for one in found]


def test_the_five_pipelines_have_schedules_by_themselves(
    client: ApiClient, owner: SignedIn
) -> None:
    answer = client.get("/pipelines", headers=owner.headers)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert [one["name"] for one in body["pipelines"]] == [
        "inventory-scan",
        "cost-ingest",
        "findings-refresh",
        "model-retrain",
        "savings-ledger",
    ]
    assert body["total"] == 5
    for one in body["pipelines"]:
        assert one["schedule"]["enabled"] is True
        assert one["schedule"]["expression"].startswith("cron(")
        assert one["last_execution"] is None
        assert client.get(f"/pipelines/{one['name']}", headers=owner.headers).json() == one


def test_a_run_is_started_once_and_shown(client: ApiClient, owner: SignedIn) -> None:
    headers = {**owner.headers, "Idempotency-Key": "k"}
    first = client.post(f"{SCAN}/run", json={}, headers=headers)
    assert first.status_code == 202, first.text
    body = first.json()
    assert (body["pipeline"], body["status"]) == ("inventory-scan", "running")
    assert client.post(f"{SCAN}/run", json={}, headers=headers).json() == body
    busy = client.post(f"{SCAN}/run", json={}, headers=owner.headers)
    assert error_of(busy) == (409, "PIPELINE_RUNNING")
    path = f"/pipelines/executions/{body['execution_id']}"
    shown = client.get(path, headers=owner.headers).json()
    assert (shown["trigger"], shown["duration"], shown["parameters"]) == ("api", None, {})
    assert [(stage["name"], stage["status"]) for stage in shown["stages"]] == [
        ("discover", "pending"),
        ("refresh-findings", "pending"),
    ]
    assert client.get(SCAN, headers=owner.headers).json()["last_execution"] == shown
    listed = client.get(f"{SCAN}/executions", headers=owner.headers).json()
    assert (listed["executions"], listed["total"]) == ([shown], 1)
    assert started_machines() == [body["execution_id"]]


def test_a_run_is_cancelled_once(client: ApiClient, owner: SignedIn) -> None:
    begun = client.post(f"{SCAN}/run", json={}, headers=owner.headers).json()
    path = f"/pipelines/executions/{begun['execution_id']}/cancel"
    cancelled = client.post(path, json={}, headers=owner.headers)
    assert cancelled.status_code == 200, cancelled.text
    body = cancelled.json()
    assert body["status"] == "cancelled"
    assert body["duration"] >= 0
    assert error_of(client.post(path, json={}, headers=owner.headers)) == (
        409,
        "EXECUTION_FINISHED",
    )
    assert client.post(f"{SCAN}/run", json={}, headers=owner.headers).status_code == 202


def test_executions_are_paged_newest_first(client: ApiClient, owner: SignedIn) -> None:
    begun = []
    for _ in range(5):
        made = client.post(f"{SCAN}/run", json={}, headers=owner.headers).json()["execution_id"]
        begun.append(made)
        client.post(f"/pipelines/executions/{made}/cancel", json={}, headers=owner.headers)
    path = f"{SCAN}/executions?page_size=2"
    first = client.get(path, headers=owner.headers).json()
    assert (first["total"], first["total_pages"]) == (5, 3)
    seen, cursor = [one["id"] for one in first["executions"]], first["next_cursor"]
    while cursor:
        more = client.get(f"{path}&cursor={cursor}", headers=owner.headers).json()
        seen += [one["id"] for one in more["executions"]]
        cursor = more.get("next_cursor")
    assert sorted(seen) == sorted(begun)
    third = client.get(f"{path}&page=3", headers=owner.headers).json()
    assert [one["id"] for one in third["executions"]] == seen[4:]
    beyond = client.get(f"{path}&page=1000000000", headers=owner.headers).json()
    assert (beyond["executions"], beyond["total"]) == ([], 5)
    other = client.get("/pipelines/cost-ingest/executions", headers=owner.headers).json()
    assert other["total"] == 0


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ({"expression": "rate(1 hour)"}, ("rate(1 hour)", True)),
        ({"expression": "cron(0 6 ? * MON *)", "enabled": False}, ("cron(0 6 ? * MON *)", False)),
    ],
)
def test_a_schedule_is_changed(
    client: ApiClient, owner: SignedIn, sent: dict[str, object], expected: tuple[str, bool]
) -> None:
    answer = client.put(f"{SCAN}/schedule", json=sent, headers=owner.headers)
    assert answer.status_code == 200, answer.text
    schedule = answer.json()["schedule"]
    assert (schedule["expression"], schedule["enabled"]) == expected
    stored = wiring.store_of(owner.tenant_id).pipeline("inventory-scan").schedule
    assert (stored.next_at is not None) is expected[1]
    off = client.put(f"{SCAN}/schedule", json={"enabled": False}, headers=owner.headers).json()
    assert off["schedule"] == {"expression": expected[0], "enabled": False}


@pytest.mark.parametrize(
    "expression",
    [
        "rate(59 minutes)",
        "rate(1 minute)",
        "cron(0/30 * * * ? *)",
        "cron(0,59 3 * * ? *)",
        "cron(0 0 31 2 ? *)",
        "every day",
        "cron(0 0 * * * *)",
        "",
    ],
)
def test_a_schedule_is_at_most_hourly(client: ApiClient, owner: SignedIn, expression: str) -> None:
    before = client.get(SCAN, headers=owner.headers).json()
    answer = client.put(f"{SCAN}/schedule", json={"expression": expression}, headers=owner.headers)
    assert error_of(answer) == (422, "VALIDATION_ERROR")
    assert client.get(SCAN, headers=owner.headers).json() == before


def test_the_budget_is_read_and_set(client: ApiClient, owner: SignedIn) -> None:
    first = client.get("/pipelines/budget", headers=owner.headers).json()
    assert first.pop("resets_at").endswith("-01T00:00:00Z")
    assert first == {
        "aws_api_monthly": "5.00",
        "used": "0.00",
        "reserved": "0.00",
        "remaining": "5.00",
    }
    body = {"aws_api_monthly": "0.25"}
    changed = client.put("/pipelines/budget", json=body, headers=owner.headers).json()
    assert (changed["aws_api_monthly"], changed["remaining"]) == ("0.25", "0.25")
    for bad in ("-1", "NaN", 5, None, "1e2"):
        refused = client.put(
            "/pipelines/budget", json={"aws_api_monthly": bad}, headers=owner.headers
        )
        assert error_of(refused) == (422, "VALIDATION_ERROR")


def test_members_read_and_clients_run(client: ApiClient, owner: SignedIn) -> None:
    member = sign_in(tenant_id=owner.tenant_id)
    for path in ("/pipelines", SCAN, f"{SCAN}/executions", "/pipelines/budget"):
        assert client.get(path, headers=member.headers).status_code == 200
    for method, path, body in (
        ("POST", f"{SCAN}/run", {}),
        ("PUT", f"{SCAN}/schedule", {"enabled": False}),
        ("PUT", "/pipelines/budget", {"aws_api_monthly": "1"}),
    ):
        refused = client.request(method, path, json=body, headers=member.headers)
        assert error_of(refused) == (403, "FORBIDDEN")


def test_unknown_names_ids_and_parameters(client: ApiClient, owner: SignedIn) -> None:
    for method, path in (
        ("GET", "/pipelines/no-such"),
        ("GET", "/pipelines/no-such/executions"),
        ("POST", "/pipelines/no-such/run"),
        ("PUT", "/pipelines/no-such/schedule"),
        ("GET", "/pipelines/executions/not-an-id"),
    ):
        absent = client.request(method, path, json={}, headers=owner.headers)
        assert error_of(absent) == (404, "NOT_FOUND"), path
    wrong = client.post(
        "/pipelines/cost-ingest/run",
        json={"parameters": {"start": "soon", "x": 1}},
        headers=owner.headers,
    )
    assert error_of(wrong) == (422, "VALIDATION_ERROR")
    assert [one["field"] for one in wrong.json()["error"]["details"]] == [
        "parameters.x",
        "parameters.start",
    ]
    assert started_machines() == []
