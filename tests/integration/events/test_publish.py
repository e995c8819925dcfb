"""The streams' function on the AWS double: what a rule on the bus gets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.client import BaseClient
from tidegate.events import tasks
from tidegate.events.wiring import publisher_of
from tidegate_kit.ids import new_id
from tidegate_kit.settings import Settings, SettingsError, settings_of

from tests.builders.settings import REGION

BUS = "tidegate-test"


@pytest.fixture
def bus(platform: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The bus, with a rule that sends everything to a queue; gives a function that reads it."""
    events, sqs = (boto3.client(name, region_name=REGION) for name in ("events", "sqs"))
    events.create_event_bus(Name=BUS)
    url = sqs.create_queue(QueueName="heard")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    events.put_rule(
        Name="all", EventBusName=BUS, EventPattern='{"source":[{"prefix":"tidegate."}]}'
    )
    target = {"Id": "1", "Arn": arn["QueueArn"]}
    events.put_targets(Rule="all", EventBusName=BUS, Targets=[target])
    monkeypatch.setenv("EVENT_BUS_NAME", BUS)
    settings_of.cache_clear()

    def heard() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while True:
            answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=0)
            if "Messages" not in answer:
                return found
            found += [json.loads(message["Body"]) for message in answer["Messages"]]

    yield heard
    publisher_of.cache_clear()


def tenants(count: int) -> dict[str, Any]:
    """A batch of records of new tenants."""
    records = []
    for number in range(count):
        tenant = new_id()
        keys = {"pk": {"S": f"T#{tenant}"}, "sk": {"S": "TENANT"}}
        image = {**keys, "id": {"S": tenant}, "name": {"S": f"Tenant {number}"}}
        records.append(
            {
                "eventName": "INSERT",
                "eventSourceARN": f"arn:aws:dynamodb:{REGION}:123456789012:table/"
                "tidegate-test-identity/stream/2026-01-02T03:04:05.000",
                "dynamodb": {
                    "Keys": keys,
                    "NewImage": image,
                    "SequenceNumber": str(100 + number),
                    "ApproximateCreationDateTime": 1767323045,
                },
            }
        )
    return {"Records": records}


def test_more_events_than_one_call_takes_all_arrive(bus: Any) -> None:
    assert tasks.publish(tenants(25), None) == {"batchItemFailures": []}
    heard = bus()
    assert len(heard) == 25
    assert {event["detail-type"] for event in heard} == {"tenant.created"}
    assert {event["source"] for event in heard} == {"tidegate.identity"}
    assert {event["detail"]["data"]["name"] for event in heard} == {
        f"Tenant {number}" for number in range(25)
    }


@pytest.mark.hazard("H2")
@pytest.mark.bite("tidegate.events.domain.event_id", lambda change, kind: new_id())
def test_a_batch_delivered_again_repeats_the_same_ids(bus: Any) -> None:
    """H2: the same batch twice and three times: each event known by its id."""
    batch = tenants(3)
    for _ in range(3):
        tasks.publish(batch, None)
    heard = bus()
    assert len(heard) == 9
    assert len({event["detail"]["id"] for event in heard}) == 3


@pytest.mark.hazard("H8")
def test_what_the_bus_does_not_take_is_named(bus: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """H8: one throttled entry and one failed call: only their records come again."""
    real = BaseClient._make_api_call
    calls: list[int] = []

    def flaky(client: BaseClient, operation: str, arguments: dict[str, Any]) -> Any:
        answer = real(client, operation, arguments)
        calls.append(1)
        if len(calls) == 1:
            answer["Entries"][3] = {"ErrorCode": "ThrottlingException", "ErrorMessage": "x"}
            answer["FailedEntryCount"] = 1
        return answer

    monkeypatch.setattr(BaseClient, "_make_api_call", flaky)
    failed = tasks.publish(tenants(12), None)
    # Each record makes two entries: the event, and what is audited.
    assert failed == {"batchItemFailures": [{"itemIdentifier": "101"}]}
    monkeypatch.undo()


def test_a_bus_that_is_gone_loses_nothing(bus: Any) -> None:
    boto3.client("events", region_name=REGION).remove_targets(
        Rule="all", EventBusName=BUS, Ids=["1"]
    )
    boto3.client("events", region_name=REGION).delete_rule(Name="all", EventBusName=BUS)
    boto3.client("events", region_name=REGION).delete_event_bus(Name=BUS)
    failed = tasks.publish(tenants(2), None)["batchItemFailures"]
    assert [entry["itemIdentifier"] for entry in failed] == ["100", "101"]


@pytest.mark.hazard("H12")
@pytest.mark.parametrize("name", ["EVENT_BUS_NAME", "TABLE_PREFIX"])
def test_a_missing_setting_is_named(bus: Any, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """H12: without a setting the function does nothing, and says which one."""
    monkeypatch.delenv(name)
    settings_of.cache_clear()
    with pytest.raises(SettingsError, match=name):
        tasks.publish(tenants(1), None)
    assert bus() == []
