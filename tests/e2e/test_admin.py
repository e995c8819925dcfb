"""Administration and monitoring on the deployed template: real logs, roles, gateway, erasure."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from websockets.sync.client import connect

from infra.operate import restore
from infra.operate.target import Target
from tests.e2e.conftest import Owner, RunningCloud

CANARY = "canary-7f3a9c"


@pytest.fixture(scope="module")
def admin(cloud: RunningCloud) -> httpx.Client:
    """The administrator made at deployment."""
    http = cloud.http()
    body = {"email": cloud.outputs["admin_email"], "password": cloud.outputs["admin_password"]}
    login = http.post("/api/auth/login", json=body)
    assert login.status_code == 200, login.text
    http.headers["Authorization"] = f"Bearer {login.json()['access_token']}"
    return http


def answered(answer: httpx.Response, status: int = 200) -> Any:
    assert answer.status_code == status, answer.text
    return answer.json()


def eventually(look: Callable[[], Any], seconds: float = 30) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.5)
    return found


def test_the_self_test_of_the_deployed_platform_is_green(admin: httpx.Client) -> None:
    """Declared = mounted = deployed = answered, asked of the running platform (IMP-15)."""
    found = answered(admin.get("/api/admin/self-test"))
    assert found["ok"], found
    assert found["declared"] == found["answered"] > 150


def test_a_dropped_route_turns_the_self_test_red(cloud: RunningCloud, admin: httpx.Client) -> None:
    gateway = cloud.aws("apigatewayv2")
    api = cloud.outputs["stack_outputs"]["HttpApiId"]
    pages = gateway.get_paginator("get_routes").paginate(ApiId=api)
    (dropped,) = [
        one for page in pages for one in page["Items"] if one["RouteKey"] == "ANY /api/logs"
    ]
    gateway.delete_route(ApiId=api, RouteId=dropped["RouteId"])
    try:
        found = answered(admin.get("/api/admin/self-test"))
        assert not found["ok"]
        assert "GET /logs" in found["missing"]
    finally:
        gateway.create_route(ApiId=api, RouteKey=dropped["RouteKey"], Target=dropped["Target"])
    assert answered(admin.get("/api/admin/self-test"))["ok"]


def test_every_admin_and_monitoring_route_answers(admin: httpx.Client) -> None:
    health = answered(admin.get("/api/admin/health"))
    assert all(one["matches"] and one["reachable"] for one in health["stores"]), health
    assert health["user_count"] >= 1
    for path in ("dashboard", "system", "users", "tenants", "config", "audit"):
        answered(admin.get(f"/api/admin/{path}"))
    for path in ("monitoring/metrics", "metrics/system", "metrics/usage", "metrics/performance"):
        answered(admin.get(f"/api/{path}"))
        answered(admin.get(f"/api/{path}?scope=platform"))
    scraped = admin.get("/api/monitoring/prometheus")
    assert scraped.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert "tidegate_requests_total" in scraped.text


def test_calls_are_counted_from_the_log(new_owner: Callable[[], Owner]) -> None:
    """What the tenant called is what it is told: successes and failures."""
    owner = new_owner()
    for _ in range(5):
        answered(owner.http.get("/api/v1/profile"))
    for _ in range(3):
        answered(owner.http.get("/api/workflows/absent"), 404)

    def counted() -> Any:
        found = answered(owner.http.get("/api/monitoring/metrics"))["application"]
        # Who am I, and the profile five times; either kind may arrive first.
        both = found["failed_requests"] == 3 and found["successful_requests"] >= 6
        return found if both else None

    found = eventually(counted)
    assert found["total_requests"] == found["successful_requests"] + 3
    assert found["average_response_time"] > 0


def test_lost_rows_are_restored_from_the_backup(
    cloud: RunningCloud, new_owner: Callable[[], Owner]
) -> None:
    """docs/operations.md, "Restore": what was deleted by mistake is back, in place."""
    owner, other = new_owner(), new_owner()
    for one in (owner, other):
        answered(one.http.put("/api/v1/profile", json={"bio": "before"}))
    tenant, user = owner.profile["tenant_id"], owner.profile["id"]
    table = cloud.aws("dynamodb")
    lost = {"pk": {"S": f"T#{tenant}#U#{user}"}, "sk": {"S": "PROFILE"}}
    copies: list[str] = []

    def client(service: str, credentials: Any = None) -> Any:
        return cloud.aws(service)

    target = Target.of_stack(cloud.config.stack_name, client, copies.append)
    real = restore._wait

    def mistake(dynamodb: Any, name: str, pause: Any) -> None:
        # The copy is made; now the row is lost, and another one is written.
        real(dynamodb, name, pause)
        table.delete_item(TableName="tidegate-local-profile", Key=lost)
        answered(other.http.put("/api/v1/profile", json={"bio": "after"}))

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(restore, "_wait", mistake)
        done = restore.restore_rows(target, "profile", None)
    assert done.written == 1, done
    assert answered(owner.http.get("/api/v1/profile"))["bio"] == "before"
    assert answered(other.http.get("/api/v1/profile"))["bio"] == "after"
    names = table.list_tables()["TableNames"]
    assert [name for name in names if "restored" in name] == []


def test_a_forgotten_tenant_leaves_no_canary(
    cloud: RunningCloud, admin: httpx.Client, new_owner: Callable[[], Owner]
) -> None:
    """Every table, bucket, schedule, machine, secret and log of the cloud is searched after."""
    owner, other = new_owner(), new_owner()
    tenant = owner.profile["tenant_id"]
    _live(cloud, owner)
    assert CANARY in _everything(cloud)
    function = cloud.outputs["stack_outputs"]["ErasureFunctionName"]
    event = json.dumps({"tenant_id": tenant, "requested_by": "e2e"}).encode()
    said = _erase(cloud, function, event)
    assert said == {"done": 1, "left": 0}, said
    assert answered(owner.http.get("/api/auth/me"), 401)

    def gone() -> bool:
        _erase(cloud, function, b"{}")
        left = _everything(cloud)
        return CANARY not in left and owner.email not in left and tenant not in left

    eventually(gone, 60)
    assert CANARY not in _logs(cloud)
    assert answered(admin.get(f"/api/admin/tenants/{tenant}"), 404)
    assert answered(other.http.get("/api/auth/me"))["email"] == other.email


def _erase(cloud: RunningCloud, function: str, event: bytes) -> Any:
    answer = cloud.aws("lambda").invoke(FunctionName=function, Payload=event)
    return json.loads(answer["Payload"].read())


def _live(cloud: RunningCloud, owner: Owner) -> None:
    """One of everything that a tenant keeps, with the canary in it."""
    http = owner.http
    answered(http.put("/api/v1/profile", json={"bio": CANARY}))
    body = {"title": CANARY, "start": "2026-03-02T08:00:00Z", "end": "2026-03-02T09:00:00Z"}
    answered(http.post("/api/v1/calendar/events", json=body), 201)
    answered(http.put("/api/user/secrets/mine", json={"value": CANARY}))
    answered(http.post("/api/user/communication-targets", json={"name": CANARY}))
    nodes: list[dict[str, Any]] = [
        {"id": "start", "type": "start", "data": {}},
        {"id": "wait", "type": "delay", "data": {"seconds": 3600}},
        {"id": "big", "type": "transform", "data": {"output": {"x": CANARY}}},
    ]
    edges = [
        {"id": "a", "source": "start", "target": "wait"},
        {"id": "b", "source": "wait", "target": "big"},
    ]
    made = answered(
        http.post(
            "/api/workflows",
            json={"name": CANARY, "definition": {"nodes": nodes, "edges": edges}},
        ),
        201,
    )
    path = f"/api/workflows/{made['id']}"
    answered(http.put(f"{path}/schedule", json={"expression": "rate(1 day)"}))
    answered(http.post(f"{path}/hooks", json={"name": CANARY}), 201)
    answered(http.post(f"{path}/execute", json={"input_data": {"x": CANARY * 30_000}}), 202)
    template = {
        "name": CANARY, "category": "test", "definition": {"nodes": nodes, "edges": edges}
    }  # fmt: skip
    answered(http.post("/api/templates", json=template), 201)
    answered(http.post("/api/onboarding/create", json={"account_id": "333344445555"}), 201)
    ticket = answered(http.post("/api/realtime/ticket", json={"client_id": "c"}), 201)
    url = f"{cloud.config.ws_url}?client_id=c&ticket={ticket['ticket']}"
    connect(url).close()


def _everything(cloud: RunningCloud) -> str:
    """All rows, objects with their content, schedules, machines and secrets, as text."""
    found: list[str] = []
    dynamodb, s3 = cloud.aws("dynamodb"), cloud.aws("s3")
    for name in dynamodb.list_tables()["TableNames"]:
        for page in dynamodb.get_paginator("scan").paginate(TableName=name):
            found += [repr(item) for item in page["Items"]]
    bucket = cloud.outputs["stack_outputs"]["DataBucketName"]
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for one in page.get("Contents", []):
            body = s3.get_object(Bucket=bucket, Key=one["Key"])["Body"].read()
            found += [one["Key"], repr(body)]
    found.append(repr(cloud.aws("scheduler").list_schedules()["Schedules"]))
    states = cloud.aws("stepfunctions")
    for machine in states.list_state_machines()["stateMachines"]:
        arn = machine["stateMachineArn"]
        found.append(repr(states.describe_state_machine(stateMachineArn=arn)))
        if ":stateMachine:tidegate-local-wf-" in arn:
            running = states.list_executions(stateMachineArn=arn, statusFilter="RUNNING")
            found.append(repr(running["executions"]))
    secrets = cloud.aws("secretsmanager")
    found += [one["Name"] for one in secrets.list_secrets()["SecretList"]]
    return "\n".join(found)


def _logs(cloud: RunningCloud) -> str:
    """Every line that the functions wrote."""
    return "\n".join(
        path.read_text(errors="replace") for path in cloud.config.log_dir.glob("*.log")
    )
