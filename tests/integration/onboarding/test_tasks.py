"""Call-back, sweep and stream on the strict double, as Lambda calls them."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from tidegate.discovery import public as discovery
from tidegate.onboarding import public as onboarding
from tidegate.onboarding import tasks, wiring
from tidegate.onboarding.responses import HttpResponseSender
from tidegate_kit.aws_session import AccessDeniedByAccount
from tidegate_kit.clock import system_clock
from tidegate_kit.errors import NotFound, ServiceUnavailable
from tidegate_kit.settings import Settings
from tidegate_kit.tenancy import TenantScope

from tests.builders.members import sign_in
from tests.builders.onboarding import World, make_world
from tests.builders.settings import CUSTOMER_ACCOUNT, PLATFORM_ACCOUNT, REGION
from tests.fakes.strict_aws import StrictAws, allow
from tests.fakes.tables import dump_tables

URL = "https://cloudformation-custom-resource-response-useast1.s3.amazonaws.com/a%7Cb?X=1"
STACK = f"arn:aws:cloudformation:us-east-1:{CUSTOMER_ACCOUNT}:stack/tidegate/0f8f5a52-6a57"


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    """Every answer that would have gone to CloudFormation."""
    sent: list[tuple[str, dict[str, Any]]] = []
    monkeypatch.setattr(
        HttpResponseSender, "send", lambda self, url, body: sent.append((url, json.loads(body)))
    )
    return sent


@pytest.fixture
def world(platform: Settings, strict_aws: StrictAws, monkeypatch: pytest.MonkeyPatch) -> World:
    return make_world(platform, strict_aws, monkeypatch)


def records(world: World, request: dict[str, Any], kind: str, **changes: Any) -> dict[str, Any]:
    arn = f"arn:aws:iam::{request['account_id']}:role/{request['role_name']}"
    message = {
        "RequestType": kind, "ResponseURL": URL, "StackId": STACK, "RequestId": f"{kind}-1",
        "LogicalResourceId": "Connection", "ResourceType": "Custom::TidegateConnection",
        "PhysicalResourceId": f"tidegate-{request['id']}",
        "ResourceProperties": {
            "OnboardingId": request["id"], "ExternalId": request["external_id"],
            "AccountId": request["account_id"], "RoleArn": arn, "Tier": "read",
        },
    }  # fmt: skip
    message.update(changes)
    topic = world.settings.callback_topic_arn
    return {"Records": [{"Sns": {"TopicArn": topic, "Message": json.dumps(message)}}]}


def test_a_stack_connects_its_account_and_discovery_starts(
    world: World, answers: list[Any]
) -> None:
    member = sign_in(roles=("client",))
    request = world.create(member)
    world.deploy_template(member, request)
    tasks.stack_callback(records(world, request, "Create"), None)
    ((url, body),) = answers
    assert url == URL
    assert body == {
        "Status": "SUCCESS", "Reason": "Connected.", "StackId": STACK, "RequestId": "Create-1",
        "PhysicalResourceId": f"tidegate-{request['id']}", "LogicalResourceId": "Connection",
        "Data": {},
    }  # fmt: skip
    assert world.get(member, request)["status"] == "connected"
    view = discovery.discovery_view(TenantScope(member.tenant_id), request["id"])
    assert view is not None
    assert view.status == "running"


def test_a_stack_that_ends_disconnects_and_clears_the_inventory(
    world: World, answers: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    member, request = world.connected()
    cleared: list[str] = []
    monkeypatch.setattr(
        discovery, "hide_account", lambda scope, account_id: cleared.append(account_id)
    )
    monkeypatch.setattr(discovery, "delete_account", lambda scope, account_id: True)
    world.customer().delete_role(request["role_name"])
    tasks.stack_callback(records(world, request, "Delete"), None)
    assert answers[0][1]["Status"] == "SUCCESS"
    assert world.get(member, request)["status"] == "disconnected"
    assert cleared == [CUSTOMER_ACCOUNT]
    assert wiring.registry.holder_of(CUSTOMER_ACCOUNT) is None


@pytest.mark.parametrize(
    "record",
    [
        {}, {"Sns": {}}, {"Sns": {"Message": "x", "TopicArn": "t"}},
        {"Sns": {"Message": "{}", "TopicArn": "arn:aws:sns:us-east-1:333333333333:other"}},
    ],
)  # fmt: skip
def test_foreign_records_are_dropped(
    world: World, answers: list[Any], record: dict[str, Any]
) -> None:
    tasks.stack_callback({"Records": [record]}, None)
    assert answers == []


def test_a_message_of_another_topic_is_dropped(world: World, answers: list[Any]) -> None:
    _, request = world.connected()
    event = records(world, request, "Delete")
    event["Records"][0]["Sns"]["TopicArn"] = "arn:aws:sns:us-east-1:333333333333:other"
    tasks.stack_callback(event, None)
    assert answers == []


def test_an_answer_that_does_not_arrive_comes_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = sign_in(roles=("client",))
    request = world.create(member)
    world.deploy(request)

    def fail(*args: Any) -> None:
        raise ServiceUnavailable

    monkeypatch.setattr(HttpResponseSender, "send", fail)
    with pytest.raises(ServiceUnavailable):
        tasks.stack_callback(records(world, request, "Create"), None)
    assert world.get(member, request)["status"] == "connected"


class Context:
    invoked_function_arn = f"arn:aws:lambda:{REGION}:{PLATFORM_ACCOUNT}:function:reprobe"

    def __init__(self, millis: list[int]) -> None:
        self.millis = millis

    def get_remaining_time_in_millis(self) -> int:
        return self.millis.pop(0) if len(self.millis) > 1 else self.millis[0]


def test_the_sweep_finds_lost_access_and_restores_it(world: World) -> None:
    member, request = world.connected()
    other, fine = world.connected("444444444444")
    world.customer().delete_role(request["role_name"])
    counts = tasks.reprobe_accounts({}, None)
    assert counts == {
        "probed": 2, "connected": 1, "access_lost": 1, "disconnected": 0, "skipped": 0, "failed": 0
    }  # fmt: skip
    assert world.get(member, request)["status"] == "access_lost"
    assert world.get(member, request)["refusal"]["code"] == "ROLE_NOT_ASSUMABLE"
    assert world.get(other, fine)["status"] == "connected"
    world.deploy(request)
    assert tasks.reprobe_accounts({}, None)["connected"] == 2
    assert world.get(member, request)["status"] == "connected"


def test_a_long_sweep_invokes_itself_for_the_rest(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        world.connected(f"{number + 500000000000}")
    invoked: list[dict[str, Any]] = []

    class Lambda:
        def invoke(self, **request: Any) -> None:
            assert request["InvocationType"] == "Event"
            assert request["FunctionName"] == Context.invoked_function_arn
            invoked.append(json.loads(request["Payload"]))

    monkeypatch.setattr(tasks, "platform_client", lambda service, region: Lambda())
    started = system_clock().isoformat()
    first = tasks.reprobe_accounts({"started_at": started}, Context([900_000, 900_000, 1]))
    assert (first["probed"], len(invoked)) == (2, 1)
    rest = tasks.reprobe_accounts(invoked[0], Context([900_000]))
    assert (rest["probed"], len(invoked)) == (1, 1)


def stream_records(world: World, old: dict[str, Any] | None = None) -> dict[str, Any]:
    """The table's rows as the stream would bring them."""
    table = f"{world.settings.table_prefix}-onboarding"
    rows = dump_tables(boto3.client("dynamodb", region_name=REGION), [table])[table]
    return {
        "Records": [
            {"dynamodb": {"NewImage": row, "OldImage": old or {}, "SequenceNumber": str(n)}}
            for n, row in enumerate(rows)
        ]
    }


def test_the_stream_starts_a_run_that_the_handler_did_not(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = discovery.start

    def unavailable(*args: Any) -> None:
        raise ServiceUnavailable(log="the handler's own start fails")

    monkeypatch.setattr(discovery, "start", unavailable)
    member, request = world.connected()
    scope = TenantScope(member.tenant_id)
    assert discovery.discovery_view(scope, request["id"]) is None
    assert tasks.follow_registrations(stream_records(world), None)["batchItemFailures"]
    monkeypatch.setattr(discovery, "start", start)
    for _ in range(2):
        assert tasks.follow_registrations(stream_records(world), None) == {"batchItemFailures": []}
    view = discovery.discovery_view(scope, request["id"])
    assert view is not None
    row = wiring.store_of(member.tenant_id).get(request["id"])
    assert row is not None
    assert view.run_id == row.discovery_run_id


def test_the_stream_clears_a_disconnected_account_unless_it_is_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    cleared: list[str] = []
    monkeypatch.setattr(discovery, "hide_account", lambda scope, account: cleared.append(account))
    monkeypatch.setattr(discovery, "delete_account", lambda scope, account: True)
    member, request = world.connected()
    scope = TenantScope(member.tenant_id)
    onboarding.disconnect(
        world.settings, scope, request["id"], actor=member.user_id, clock=system_clock
    )
    tasks.follow_registrations(stream_records(world), None)
    assert cleared == [CUSTOMER_ACCOUNT]
    again = world.create(member)
    world.deploy(again)
    assert world.verify(member, again).status_code == 200
    tasks.follow_registrations(stream_records(world), None)
    assert cleared == [CUSTOMER_ACCOUNT]


def test_other_domains_get_connections_and_sessions(world: World) -> None:
    member, request = world.connected()
    scope = TenantScope(member.tenant_id)
    found = onboarding.connection(scope, request["id"])
    assert found is not None
    assert onboarding.connections(scope) == [found]
    assert (found.account_id, found.method, found.status) == (
        CUSTOMER_ACCOUNT, "role", "connected",
    )  # fmt: skip
    policy = json.dumps(allow("ec2:DescribeInstances"))
    session = onboarding.open_session(world.settings, found, purpose="read", policy=policy)
    identity = session.client("sts", REGION).get_caller_identity()
    assert identity["Account"] == CUSTOMER_ACCOUNT
    world.customer().delete_role(request["role_name"])
    with pytest.raises(AccessDeniedByAccount):
        onboarding.open_session(world.settings, found, purpose="read", policy=policy)
    assert onboarding.connection(TenantScope("other"), request["id"]) is None


def test_sessions_on_keys_open_what_was_sealed(world: World) -> None:
    member = sign_in(roles=("client",))
    keys = world.customer().create_user("reader")
    made = world.client.post(
        "/onboarding/connect/credentials",
        json={"access_key_id": keys[0], "secret_access_key": keys[1]},
        headers=member.headers,
    ).json()
    scope = TenantScope(member.tenant_id)
    found = onboarding.connection(scope, made["id"])
    assert found is not None
    session = onboarding.open_session(world.settings, found, purpose="read", policy=None)
    assert session.client("sts", REGION).get_caller_identity()["Arn"].endswith(":user/reader")
    onboarding.disconnect(world.settings, scope, made["id"], actor="u", clock=system_clock)
    with pytest.raises(NotFound):
        onboarding.open_session(world.settings, found, purpose="read", policy=None)
    with pytest.raises(NotFound):
        onboarding.disconnect(world.settings, scope, made["id"], actor="u", clock=system_clock)
    assert onboarding.connections(scope) == []


def test_the_end_of_a_run_is_noted_once(world: World) -> None:
    member, request = world.connected()
    scope, now = TenantScope(member.tenant_id), system_clock()
    onboarding.mark_discovered(scope, request["id"], "run-2", now)
    onboarding.mark_discovered(scope, request["id"], "run-1", now.replace(year=2020))
    found = onboarding.connection(scope, request["id"])
    assert found is not None
    assert (found.last_discovery_run_id, found.last_discovery_at) == ("run-2", now)
    onboarding.mark_discovered(scope, "00000000-0000-4000-8000-000000000000", "r", now)
