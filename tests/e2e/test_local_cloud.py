"""The local cloud itself, on the fixture application: what other end-to-end tests rest on."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from infra.local import cloud as local
from infra.local import emulator_process, processes
from infra.local.aws import client
from infra.local.config import LocalCloud

# One worker runs them all: they share a cloud, and the last ones stop and kill it.
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.enable_socket,
    pytest.mark.xdist_group("local-cloud-fixture"),
]

FIXTURE = Path(__file__).parents[1] / "unit" / "local_cloud" / "data"


@dataclass
class Running:
    """A local cloud and what its stack put out."""

    cloud: LocalCloud
    outputs: dict[str, Any]

    def aws(self, service: str, account: str | None = None) -> Any:
        return client(self.cloud, service, account)

    def out(self, key: str) -> str:
        return str(self.outputs["stack_outputs"][key])

    def call(
        self, path: str, method: str = "GET", body: bytes | None = None, **headers: str
    ) -> tuple[int, Any, Any]:
        """Status, headers and decoded body of a request through the front door."""
        request = urllib.request.Request(  # noqa: S310
            self.outputs["api_url"] + path,
            data=body,
            method=method,
            headers={name.replace("_", "-"): value for name, value in headers.items()},
        )
        try:
            with urllib.request.urlopen(request, timeout=40) as answer:  # noqa: S310
                return answer.status, answer.headers, _decoded(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, error.headers, _decoded(error.read())


def _decoded(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body


def eventually(condition: Callable[[], Any], seconds: float = 20) -> Any:
    """The first true value of *condition*."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > deadline:
            pytest.fail(f"still false after {seconds} s")
        time.sleep(0.1)
    return found


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    home = tmp_path_factory.mktemp("cloud")
    shutil.copytree(FIXTURE, home / "app")
    cloud = LocalCloud(
        template=home / "app" / "template.yaml",
        home=home,
        aws_port=processes.free_port(),
        edge_port=processes.free_port(),
        stack_name="fixture",
    )
    try:
        yield Running(cloud, local.up(cloud))
    finally:
        local.reset(cloud)


def assert_envelope(status: int, headers: Any, body: Any, code: str) -> None:
    error = body["error"]
    assert error.keys() == {"code", "message", "details", "timestamp", "request_id"}
    assert error["code"] == code, (status, body)
    assert headers["X-Request-Id"] == error["request_id"]
    assert error["timestamp"].endswith("Z")


def test_a_route_gets_the_whole_payload(running: Running) -> None:
    status, headers, body = running.call(
        "/things/a?x=1&x=2", cookie="s=1; t=2", x_forwarded_for="6.6.6.6", x_local_source_ip="9.9"
    )
    assert status == 200
    assert headers.get_all("Set-Cookie") == ["a=1; Path=/", "b=2; Path=/"]
    event = body["event"]
    assert event["routeKey"] == "ANY /things/{proxy+}"
    assert event["cookies"] == ["s=1", "t=2"]
    assert "cookie" not in event["headers"]
    assert event["requestContext"]["http"]["sourceIp"] == "127.0.0.1"
    assert event["headers"]["x-forwarded-for"] == "6.6.6.6, 127.0.0.1"
    assert not [name for name in event["headers"] if name.startswith("x-local")]
    assert event["queryStringParameters"] == {"x": "1,2"}
    assert body["kit"] == "sample kit"
    assert body["env"]["SECRET"].startswith("arn:aws:secretsmanager:")
    assert body["env"]["WS_URL"] == running.cloud.ws_url


def test_unknown_paths_reach_the_default_route(running: Running) -> None:
    status, _, body = running.call("/nowhere/at/all")
    assert status == 200
    assert body["event"]["routeKey"] == "$default"
    status, headers, body = running.call("/missing")
    assert (status, body) == (404, {"error": {"code": "MINE"}})
    assert headers["X-Request-Id"]


def test_preflight_is_answered_by_the_function(running: Running) -> None:
    status, headers, _ = running.call("/things", "OPTIONS", origin="http://localhost:8000")
    assert status == 204
    assert headers["Access-Control-Allow-Origin"] == "http://localhost:8000"
    _, headers, _ = running.call("/things", "OPTIONS", origin="http://evil.example")
    assert headers["Access-Control-Allow-Origin"] is None


def test_a_crash_is_hidden(running: Running) -> None:
    status, headers, body = running.call("/crash", x_request_id="mine-1")
    assert status == 500
    assert_envelope(status, headers, body, "INTERNAL_ERROR")
    assert body["error"]["request_id"] == "mine-1"
    assert "secret" not in json.dumps(body)
    log = running.cloud.log_dir / "WebFunction.log"
    assert "the secret of the crash" in log.read_text()


def test_limits_answer_with_the_envelope(running: Running) -> None:
    status, headers, body = running.call("/things", "POST", b"x" * (10 * 1024 * 1024 + 1))
    assert status == 413
    assert_envelope(status, headers, body, "PAYLOAD_TOO_LARGE")
    status, headers, body = running.call("/things", x_big="a" * 10_300)
    assert status == 431
    assert_envelope(status, headers, body, "HEADERS_TOO_LARGE")


def execution(running: Running, mode: str) -> dict[str, Any]:
    machines = running.aws("stepfunctions")
    started = machines.start_execution(
        stateMachineArn=running.out("MachineArn"),
        input=json.dumps({"mode": mode, "run": str(uuid.uuid4())}),
    )
    arn = started["executionArn"]

    def done() -> Any:
        shown = machines.describe_execution(executionArn=arn)
        return shown if shown["status"] != "RUNNING" else None

    found: dict[str, Any] = eventually(done)
    return found


def test_named_errors_are_retried_and_caught(running: Running) -> None:
    flaky = execution(running, "flaky")
    assert (flaky["status"], json.loads(flaky["output"])) == ("SUCCEEDED", {"attempts": 3})
    broken = execution(running, "broken")
    assert (broken["status"], json.loads(broken["output"])) == ("SUCCEEDED", {"mended": True})


def order_is_seen(running: Running) -> None:
    table, key = running.out("TableName"), {"S": str(uuid.uuid4())}
    dynamodb = running.aws("dynamodb")
    dynamodb.put_item(TableName=table, Item={"pk": key, "sk": {"S": "order"}})
    eventually(
        lambda: "Item" in dynamodb.get_item(TableName=table, Key={"pk": key, "sk": {"S": "seen"}})
    )


def test_a_stream_triggers_its_function(running: Running) -> None:
    order_is_seen(running)


def test_table_settings_are_applied(running: Running) -> None:
    table, dynamodb = running.out("TableName"), running.aws("dynamodb")
    ttl = dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
    assert (ttl["TimeToLiveStatus"], ttl["AttributeName"]) == ("ENABLED", "expires_at")
    backups = dynamodb.describe_continuous_backups(TableName=table)
    recovery = backups["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
    assert recovery["PointInTimeRecoveryStatus"] == "ENABLED"


def customer_stack(running: Running, topic: str, secret: str) -> tuple[str, dict[str, Any], str]:
    """Create a stack in the customer's account; its status, outputs and reasons."""
    cloudformation = running.aws("cloudformation", running.cloud.customer_account)
    name = f"customer-{uuid.uuid4().hex[:8]}"
    template = {
        "Resources": {
            "Connection": {
                "Type": "Custom::TidegateConnection",
                "Properties": {"ServiceToken": topic, "Secret": secret, "Tier": 1},
            }
        },
        "Outputs": {"Greeting": {"Value": {"Fn::GetAtt": ["Connection", "Greeting"]}}},
    }
    cloudformation.create_stack(StackName=name, TemplateBody=json.dumps(template))

    def done() -> Any:
        stack = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
        return None if stack["StackStatus"].endswith("_IN_PROGRESS") else stack

    stack = eventually(done)
    events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
    reasons = " ".join(event.get("ResourceStatusReason", "") for event in events)
    return stack["StackStatus"], stack, reasons


def test_a_custom_resource_goes_through_the_platforms_topic(running: Running) -> None:
    topic = running.out("CallbackTopicArn")
    status, stack, reasons = customer_stack(running, topic, "right")
    assert status == "CREATE_COMPLETE", reasons
    assert f":{running.cloud.customer_account}:" in stack["StackId"]
    assert stack["Outputs"][0]["OutputValue"] == "hello"
    cloudformation = running.aws("cloudformation", running.cloud.customer_account)
    cloudformation.delete_stack(StackName=stack["StackId"])
    dynamodb, table = running.aws("dynamodb"), running.out("TableName")
    key = {"pk": {"S": stack["StackId"]}, "sk": {"S": "Delete"}}
    eventually(lambda: "Item" in dynamodb.get_item(TableName=table, Key=key))


def test_a_failed_custom_resource_rolls_the_stack_back(running: Running) -> None:
    status, stack, reasons = customer_stack(running, running.out("CallbackTopicArn"), "wrong")
    assert status == "ROLLBACK_COMPLETE"
    assert "the secret is wrong" in reasons
    dynamodb, table = running.aws("dynamodb"), running.out("TableName")
    key = {"pk": {"S": stack["StackId"]}, "sk": {"S": "Delete"}}
    assert "Item" in dynamodb.get_item(TableName=table, Key=key)


def test_a_topic_without_a_policy_is_closed_to_customers(running: Running) -> None:
    status, _, reasons = customer_stack(running, running.out("ClosedTopicArn"), "right")
    assert status == "ROLLBACK_COMPLETE"
    assert "not authorized to perform: sns:Publish" in reasons.replace("SNS:", "sns:")


def test_external_id_is_enforced_across_accounts(running: Running) -> None:
    iam = running.aws("iam", running.cloud.customer_account)
    name = f"guarded-{uuid.uuid4().hex[:8]}"
    role = iam.create_role(
        RoleName=name,
        AssumeRolePolicyDocument=json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Principal": {"AWS": running.out("AssumeRoleArn")},
                        "Action": "sts:AssumeRole",
                        "Condition": {"StringEquals": {"sts:ExternalId": "secret-42"}},
                    }
                ],
            }
        ),
    )["Role"]["Arn"]

    def assume(external_id: str | None) -> dict[str, Any]:
        answer = running.aws("lambda").invoke(
            FunctionName=running.out("AssumeFunctionName"),
            Payload=json.dumps({"role": role, "external_id": external_id}).encode(),
        )
        said: dict[str, Any] = json.loads(answer["Payload"].read())
        return said

    granted = assume("secret-42")
    customer = running.cloud.customer_account
    assert granted.get("arn") == f"arn:aws:sts::{customer}:assumed-role/{name}/probe", granted
    assert "AccessDenied" in assume("secret-43")["why"]
    assert "AccessDenied" in assume(None)["why"]


def test_websocket_echo_and_refusal(running: Running) -> None:
    async def talk() -> Any:
        async with connect(f"{running.cloud.ws_url}/me-1?token=good", proxy=None) as socket:
            await socket.send("hello")
            return json.loads(await asyncio.wait_for(socket.recv(), 20))

    async def knock(url: str) -> int:
        try:
            async with connect(url, proxy=None):
                return 101
        except InvalidStatus as error:
            return error.response.status_code

    assert asyncio.run(talk()) == {"echo": "hello"}
    assert asyncio.run(knock(f"{running.cloud.ws_url}?client_id=me&token=bad")) == 401
    assert asyncio.run(knock(f"ws://127.0.0.1:{running.cloud.edge_port}/other?token=good")) == 404


def test_deploying_again_changes_only_what_changed(running: Running) -> None:
    before = json.loads(running.cloud.targets_file.read_text())
    started = time.monotonic()
    running.outputs = local.up(running.cloud)
    assert time.monotonic() - started < 10
    assert json.loads(running.cloud.targets_file.read_text()) == before


def test_a_change_of_code_or_shared_layer_is_deployed_at_once(running: Running) -> None:
    app = running.cloud.template.parent
    kit = app / "layers" / "shared" / "sample_kit" / "__init__.py"
    kit.write_text(kit.read_text().replace("sample kit", "newer kit"))
    local.up(running.cloud)
    assert running.call("/things")[2]["kit"] == "newer kit"
    code = app / "functions" / "sample" / "web.py"
    code.write_text(code.read_text().replace('"a=1; Path=/"', '"z=9; Path=/"'))
    started = time.monotonic()
    running.outputs = local.up(running.cloud)
    assert time.monotonic() - started < 15
    assert running.call("/things")[1].get_all("Set-Cookie")[0] == "z=9; Path=/"


def test_a_graceful_restart_keeps_data_and_leaves_no_process(running: Running) -> None:
    dynamodb, table = running.aws("dynamodb"), running.out("TableName")
    key = {"pk": {"S": "kept"}, "sk": {"S": "row"}}
    dynamodb.put_item(TableName=table, Item=key)
    recorded = [processes.read_record(path) for path in running.cloud.runtimes_dir.iterdir()]
    assert recorded
    local.down(running.cloud)
    assert not [item for item in recorded if item is not None and item.alive()]
    assert processes.port_is_free(running.cloud.aws_port)
    running.outputs = local.up(running.cloud)
    assert "Item" in dynamodb.get_item(TableName=table, Key=key)
    order_is_seen(running)
    assert running.call("/things")[0] == 200


def test_the_cloud_comes_back_after_kill_9(running: Running) -> None:
    running.call("/things")
    orphans = [processes.read_record(path) for path in running.cloud.runtimes_dir.iterdir()]
    recorded = processes.running(emulator_process.record_of(running.cloud))
    assert recorded is not None
    os.kill(recorded.pid, signal.SIGKILL)
    eventually(lambda: not processes.still_there(recorded))
    status, headers, body = running.call("/things")
    assert status == 503
    assert_envelope(status, headers, body, "SERVICE_UNAVAILABLE")
    running.outputs = local.up(running.cloud)
    assert not [item for item in orphans if item is not None and item.alive()]
    assert running.call("/things")[0] == 200
    order_is_seen(running)
