"""Dead letters raise system.alert, and the tenant's sockets hear of it (EVT-5)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.client import BaseClient
from tidegate.events import tasks
from tidegate.events.wiring import publisher_of
from tidegate.realtime import tasks as realtime
from tidegate.realtime.repository.events import DynamoEvents
from tidegate_kit.clock import system_clock
from tidegate_kit.ids import new_id
from tidegate_kit.settings import Settings, settings_of
from tidegate_kit.tenancy import TenantScope

from tests.builders.settings import REGION
from tests.builders.webhooks import bus_event

BUS = "tidegate-test"
CANARY = "canary-4711"


class Queues:
    """A queue that hears the bus, and the archive of dead letters."""

    def __init__(self) -> None:
        self.sqs = boto3.client("sqs", region_name=REGION)
        events = boto3.client("events", region_name=REGION)
        events.create_event_bus(Name=BUS)
        self.heard = self.sqs.create_queue(QueueName="heard")["QueueUrl"]
        self.archive = self.sqs.create_queue(QueueName="archive")["QueueUrl"]
        arn = self.sqs.get_queue_attributes(QueueUrl=self.heard, AttributeNames=["QueueArn"])
        events.put_rule(Name="all", EventBusName=BUS, EventPattern='{"source":[{"prefix":""}]}')
        target = {"Id": "1", "Arn": arn["Attributes"]["QueueArn"]}
        events.put_targets(Rule="all", EventBusName=BUS, Targets=[target])

    def read(self, url: str) -> list[Any]:
        answer = self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)
        return [json.loads(message["Body"]) for message in answer.get("Messages", [])]


@pytest.fixture
def queues(platform: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Queues]:
    made = Queues()
    monkeypatch.setenv("EVENT_BUS_NAME", BUS)
    monkeypatch.setenv("DATA_BUCKET", "tidegate-test-data")
    monkeypatch.setenv("DEAD_LETTER_ARCHIVE_URL", made.archive)
    settings_of.cache_clear()
    yield made
    publisher_of.cache_clear()


def message(body: Any, message_id: str = "m-1") -> dict[str, Any]:
    text = body if isinstance(body, str) else json.dumps(body)
    return {
        "messageId": message_id, "body": text, "attributes": {"SentTimestamp": "1767323045000"},
    }  # fmt: skip


def asynchronous(tenant_id: str) -> dict[str, Any]:
    """What Lambda sends of an asynchronous call that it gave up."""
    name = "function:tidegate-prod-WebhookDispatchFunction-AbCdEf123:$LATEST"
    return {
        "requestContext": {"functionArn": f"arn:aws:lambda:us-east-1:123456789012:{name}",
                           "condition": "RetriesExhausted"},
        "requestPayload": bus_event(tenant_id, "plan.approved", data={"text": CANARY}),
    }  # fmt: skip


_EVENTS = "arn:aws:lambda:us-east-1:123456789012:function:tidegate-prod-EventsFunction-X"
STREAM = {
    "DDBStreamBatchInfo": {"shardId": "s", "startSequenceNumber": "1"},
    "requestContext": {"functionArn": _EVENTS},
}


@pytest.mark.hazard("H8")
@pytest.mark.bite("tidegate.events.dead_letters.DeadLetters._keep", returns=True)
def test_a_dead_letter_raises_an_alert_and_is_kept(queues: Queues) -> None:
    """H8: what was given up is told to the tenant it belongs to, and kept whole for a redrive."""
    tenant = new_id()
    letter = asynchronous(tenant)
    assert tasks.dead_letter({"Records": [message(letter)]}, None) == {"batchItemFailures": []}
    (told,) = queues.read(queues.heard)
    assert told["detail-type"] == "system.alert"
    assert told["detail"]["tenant_id"] == tenant
    data = told["detail"]["data"]
    assert (data["component"], data["status"]) == ("WebhookDispatchFunction", "dead_lettered")
    assert CANARY not in json.dumps(told)
    assert "123456789012" not in json.dumps(data)
    assert queues.read(queues.archive) == [letter]


@pytest.mark.parametrize(
    "body", [STREAM, "not json", "[]", "null", '{"requestPayload":{"detail":{"tenant_id":"x"}}}']
)
def test_a_letter_that_tells_no_tenant_concerns_the_platform(queues: Queues, body: Any) -> None:
    assert tasks.dead_letter({"Records": [message(body)]}, None) == {"batchItemFailures": []}
    (told,) = queues.read(queues.heard)
    assert told["detail"]["tenant_id"] is None
    component = told["detail"]["data"]["component"]
    assert component == ("EventsFunction" if body is STREAM else "background")


@pytest.mark.hazard("H9")
@pytest.mark.bite("tidegate.events.dead_letters.id_from", lambda text: new_id())
def test_a_letter_that_comes_again_is_known(queues: Queues) -> None:
    """H9: the same dead letter twice: one alert by its id."""
    for _ in range(2):
        tasks.dead_letter({"Records": [message(asynchronous(new_id()))]}, None)
    told = queues.read(queues.heard)
    assert len(told) == 2
    assert len({one["detail"]["id"] for one in told}) == 1


def test_what_is_not_told_or_kept_comes_again(
    queues: Queues, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bus refuses one letter, the archive another: just those stay in the queue."""
    genuine = BaseClient._make_api_call

    def flaky(client: BaseClient, operation: str, arguments: dict[str, Any]) -> Any:
        if operation == "SendMessage" and "third" in arguments["MessageBody"]:
            arguments = {**arguments, "QueueUrl": f"{arguments['QueueUrl']}-absent"}
        answer = genuine(client, operation, arguments)
        if operation == "PutEvents":
            answer["Entries"][1] = {"ErrorCode": "ThrottlingException", "ErrorMessage": "x"}
        return answer

    monkeypatch.setattr(BaseClient, "_make_api_call", flaky)
    records = [message({"n": text}, text) for text in ("first", "second", "third")]
    answer = tasks.dead_letter({"Records": records}, None)
    monkeypatch.undo()
    failed = {one["itemIdentifier"] for one in answer["batchItemFailures"]}
    assert failed == {"second", "third"}


@pytest.mark.hazard("H2")
def test_sockets_of_the_tenant_hear_of_an_alert_once(queues: Queues) -> None:
    """H2: system.alert of the bus, delivered three times: one message, in the tenant's stream
    alone."""
    scope = TenantScope(new_id())
    data = {
        "severity": "critical", "component": "account", "status": "access_lost", "message": "x",
        "account_id": CANARY,
    }  # fmt: skip
    alert = bus_event(scope.tenant_id, "system.alert", data=data)
    told = [realtime.alert(alert, None)["told"] for _ in range(3)]
    assert told == [True, False, False]
    (event,) = DynamoEvents(scope).after(0, 10, system_clock())
    assert event.type == "system_alert"
    assert event.data == {name: data[name] for name in data if name != "account_id"}
    assert realtime.alert(bus_event(None, "system.alert", data=data), None) == {"told": False}
    assert DynamoEvents(TenantScope(new_id())).after(0, 10, system_clock()) == []


def test_the_workflows_stream_is_told_to_sockets_and_bus(
    queues: Queues, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One reader serves both: a record that the bus refuses comes again, its neighbours do not."""
    tenant = new_id()

    def record(number: int) -> dict[str, Any]:
        keys = {"pk": {"S": f"T#{tenant}"}, "sk": {"S": f"EX#{number}"}}
        texts = {
            "id": str(number), "status": "running", "workflow_id": "w", "trigger": "api",
            "started_at": "2026-01-02T03:04:05.000000+0000",
        }  # fmt: skip
        image = {**keys, **{name: {"S": text} for name, text in texts.items()}}
        return {
            "eventName": "INSERT", "eventID": str(number),
            "eventSourceARN": f"arn:aws:dynamodb:{REGION}:1:table/tidegate-test-workflows/stream/x",
            "dynamodb": {"Keys": keys, "NewImage": {**image, "workflow_version": {"N": "1"}},
                         "SequenceNumber": str(number), "ApproximateCreationDateTime": 1767323045},
        }  # fmt: skip

    records = {"Records": [record(1), record(2)]}
    assert realtime.feed(records, None) == {"batchItemFailures": []}
    heard = queues.read(queues.heard)
    assert [one["detail-type"] for one in heard] == ["workflow.execution.started"] * 2
    genuine = BaseClient._make_api_call

    def throttled(client: BaseClient, operation: str, arguments: dict[str, Any]) -> Any:
        answer = genuine(client, operation, arguments)
        if operation == "PutEvents":
            answer["Entries"][1] = {"ErrorCode": "ThrottlingException", "ErrorMessage": "x"}
        return answer

    monkeypatch.setattr(BaseClient, "_make_api_call", throttled)
    assert realtime.feed(records, None) == {"batchItemFailures": [{"itemIdentifier": "2"}]}
