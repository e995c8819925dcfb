"""Do again what ended in the dead-letter queue.

Two kinds of letters come there: a note about a batch of a table's stream (the records stay in the
stream for 24 hours and are read again), and the event of an asynchronous call that failed. Each is
given to its function once more; what succeeds is deleted from the queue, the rest stays.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from infra.operate.target import Target

_VISIBILITY_SECONDS = 300
_MOST_RECORDS = 1000


@dataclass
class Redriven:
    """What became of the letters."""

    done: int = 0
    failed: int = 0
    lost: int = 0
    unknown: int = 0


def redrive(target: Target, limit: int = 100) -> Redriven:
    """Do up to `limit` letters again."""
    sqs, queue = target.client("sqs"), target.output("DeadLetterQueueUrl")
    result = Redriven()
    for _ in range(limit):
        letters = sqs.receive_message(
            QueueUrl=queue, MaxNumberOfMessages=1, VisibilityTimeout=_VISIBILITY_SECONDS,
            MessageAttributeNames=["All"],
        ).get("Messages", [])  # fmt: skip
        if not letters:
            break
        (letter,) = letters
        if _again(target, letter, result):
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=letter["ReceiptHandle"])
    return result


def _again(target: Target, letter: dict[str, Any], result: Redriven) -> bool:
    body: Any = json.loads(letter["Body"])
    batch = body.get("DDBStreamBatchInfo") if isinstance(body, dict) else None
    if batch is None:
        target.say(f"letter {letter['MessageId']}: no note of a stream; see docs/operations.md")
        result.unknown += 1
        return False
    function = body["requestContext"]["functionArn"]
    records = _records(target, batch)
    if not records:
        target.say(f"letter {letter['MessageId']}: its records are older than the stream keeps")
        result.lost += 1
        return False
    answer = target.client("lambda").invoke(
        FunctionName=function, Payload=json.dumps({"Records": records}, default=_plain).encode()
    )
    said = json.loads(answer["Payload"].read() or b"null")
    failed = "FunctionError" in answer or (said or {}).get("batchItemFailures")
    result.failed += bool(failed)
    result.done += not failed
    verdict = "failed again" if failed else "done"
    target.say(f"letter {letter['MessageId']}: {len(records)} records, {verdict}")
    return not failed


def _records(target: Target, batch: dict[str, Any]) -> list[dict[str, Any]]:
    streams = target.client("dynamodbstreams")
    try:
        iterator = streams.get_shard_iterator(
            StreamArn=batch["streamArn"], ShardId=batch["shardId"],
            ShardIteratorType="AT_SEQUENCE_NUMBER", SequenceNumber=batch["startSequenceNumber"],
        )["ShardIterator"]  # fmt: skip
    except (
        streams.exceptions.TrimmedDataAccessException,
        streams.exceptions.ResourceNotFoundException,
    ):
        return []
    last = int(batch["endSequenceNumber"])
    found: list[dict[str, Any]] = []
    while iterator and len(found) < _MOST_RECORDS:
        page = streams.get_records(ShardIterator=iterator)
        for record in page["Records"]:
            if int(record["dynamodb"]["SequenceNumber"]) > last:
                return found
            found.append({**record, "eventSourceARN": batch["streamArn"]})
        if not page["Records"]:
            return found
        iterator = page.get("NextShardIterator")
    return found


def _plain(value: Any) -> Any:
    """Times as Lambda gives them: epoch seconds; octets as base64."""
    import base64

    if hasattr(value, "timestamp"):
        return value.timestamp()
    return base64.b64encode(bytes(value)).decode()
