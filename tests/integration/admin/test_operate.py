"""Operator's commands on the AWS double: revoking everything, redriving, forgetting."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from tidegate_kit.auth.models import SigningKeyItem
from tidegate_kit.clock import system_clock
from tidegate_kit.settings import Settings

from infra.operate import redrive
from infra.operate.__main__ import forget_tenant
from infra.operate.revoke import revoke_everything
from infra.operate.target import OperationError, Target
from tests.builders.identity import IdentityClient, store_signing_ring
from tests.builders.settings import REGION

NOTE = {
    "requestContext": {"functionArn": "arn:aws:lambda:us-east-1:1:function:events"},
    "DDBStreamBatchInfo": {
        "shardId": "s", "startSequenceNumber": "100", "endSequenceNumber": "102",
        "streamArn": "arn:aws:dynamodb:us-east-1:1:table/t/stream/x",
    },
}  # fmt: skip


class Lambda:
    """Functions that answer as told and keep what they were given."""

    def __init__(self, answer: Any = None, failed: bool = False) -> None:
        self.events: list[Any] = []
        self._answer, self._failed = answer, failed

    def invoke(self, FunctionName: str, Payload: bytes) -> dict[str, Any]:
        import io

        self.events.append((FunctionName, json.loads(Payload)))
        body = io.BytesIO(json.dumps(self._answer).encode())
        return {"Payload": body, **({"FunctionError": "Unhandled"} if self._failed else {})}


class Streams:
    """A stream with five records from 99 on."""

    class exceptions:
        class TrimmedDataAccessException(Exception): ...

        class ResourceNotFoundException(Exception): ...

    def __init__(self, trimmed: bool = False) -> None:
        self._trimmed = trimmed

    def get_shard_iterator(self, **asked: Any) -> dict[str, Any]:
        if self._trimmed:
            raise self.exceptions.TrimmedDataAccessException
        return {"ShardIterator": asked["SequenceNumber"]}

    def get_records(self, ShardIterator: str) -> dict[str, Any]:
        start = int(ShardIterator)
        records = [
            {
                "eventName": "INSERT",
                "dynamodb": {
                    "SequenceNumber": str(n),
                    "ApproximateCreationDateTime": datetime(2026, 1, 1, tzinfo=UTC),
                },
            }
            for n in range(start, 104)
        ]
        return {"Records": records, "NextShardIterator": None}


def target(functions: Any, streams: Any = None, **outputs: str) -> Target:
    def client(service: str, credentials: Any = None) -> Any:
        stand_ins = {"lambda": functions, "dynamodbstreams": streams}
        return stand_ins.get(service) or boto3.client(service, region_name=REGION)  # type: ignore[call-overload]

    known = {"ErasureFunctionName": "tidegate-test-erasure", "SigningKeysFunctionName": "keys"}
    return Target("tidegate", client, lambda _: None, {**known, **outputs})


@pytest.mark.hazard("A20")
def test_revoking_everything_ends_every_token_and_session(
    platform: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A20: keys are compromised at once and sessions end, whatever tokens people hold."""
    monkeypatch.setenv("LEGACY_BCRYPT_COST", "4")
    store_signing_ring(platform, lambda: system_clock() - timedelta(seconds=2))
    client = IdentityClient(platform)
    tokens = client.signed_in()
    assert client.me(tokens["access_token"]).status_code == 200
    functions = Lambda({})
    done = revoke_everything(target(functions))
    assert (done.keys, done.users) == (1, 1)
    assert [name for name, _ in functions.events] == ["keys"]
    (key,) = SigningKeyItem.query("SIGNING_KEYS")
    assert key.status == "compromised"
    again = IdentityClient(platform)  # another process: no ring is kept
    assert again.me(tokens["access_token"]).status_code == 401
    assert again.refresh(tokens["refresh_token"]).status_code == 401


def test_revoking_tells_when_no_new_keys_are_made(platform: Settings) -> None:
    with pytest.raises(OperationError, match="nobody can sign in"):
        revoke_everything(target(Lambda({}, failed=True)))


@pytest.fixture
def queue(platform: Settings) -> Any:
    sqs = boto3.client("sqs", region_name=REGION)
    return sqs, str(sqs.create_queue(QueueName="dead")["QueueUrl"])


def left(queue: Any) -> int:
    sqs, url = queue
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return sum(int(value) for value in found.values())


@pytest.mark.hazard("H9")
@pytest.mark.parametrize(
    ("functions", "streams", "kept"),
    [
        (Lambda({"batchItemFailures": []}), Streams(), 0),
        (Lambda({"batchItemFailures": [{"itemIdentifier": "101"}]}), Streams(), 1),
        (Lambda({}, failed=True), Streams(), 1),
        (Lambda({}), Streams(trimmed=True), 1),
    ],
    ids=["done", "partly", "failed", "too-old"],
)
def test_a_dead_batch_is_read_again_and_goes_only_when_done(
    queue: Any, functions: Lambda, streams: Streams, kept: int
) -> None:
    """H9: exactly the records of the note go to their function; the letter stays until it works."""
    sqs, url = queue
    sqs.send_message(QueueUrl=url, MessageBody=json.dumps(NOTE))
    redrive.redrive(target(functions, streams, DeadLetterQueueUrl=url))
    assert left(queue) == kept
    for name, event in functions.events:
        assert name == NOTE["requestContext"]["functionArn"]
        numbers = [one["dynamodb"]["SequenceNumber"] for one in event["Records"]]
        assert numbers == ["100", "101", "102"]


def test_letters_of_another_kind_stay(queue: Any) -> None:
    sqs, url = queue
    sqs.send_message(QueueUrl=url, MessageBody=json.dumps({"some": "event"}))
    functions = Lambda({})
    done = redrive.redrive(target(functions, Streams(), DeadLetterQueueUrl=url))
    assert (done.unknown, left(queue), functions.events) == (1, 1, [])


def test_forgetting_says_what_is_left() -> None:
    functions = Lambda({"done": 0, "left": 1})
    assert forget_tenant(target(functions), "t", "me") == 1
    assert functions.events == [("tidegate-test-erasure", {"tenant_id": "t", "requested_by": "me"})]
    with pytest.raises(OperationError):
        forget_tenant(target(Lambda({"errorType": "X"}, failed=True)), "t", "me")
