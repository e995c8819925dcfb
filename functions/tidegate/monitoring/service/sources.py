"""Where measurements come from: the log of calls, events of executions, the usage of models."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from tidegate_kit.clock import from_epoch
from tidegate_kit.observability import logger

from tidegate.monitoring.domain import Measurement

CALL = "call"
AWS_CALL = "aws call"
# https://aws.amazon.com/aws-cost-management/aws-cost-explorer/pricing/: USD 0.01 a request, in
# thousand-millionths. Everything else that is called answers for nothing.
_PRICES = {"ce": 10_000_000}
_FIRST_FAILURE = 400
_EXECUTION_ENDS = {
    "workflow.execution.completed": True,
    "workflow.execution.failed": False,
    "workflow.execution.cancelled": False,
    "workflow.execution.timed_out": False,
}


def read_log_batch(event: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The log events of a CloudWatch Logs subscription: {id, timestamp, message} each.

    Format: "Using subscription filters", Amazon CloudWatch Logs User Guide. A control message
    holds none.
    """
    batch = json.loads(gzip.decompress(base64.b64decode(event["awslogs"]["data"])))
    if batch["messageType"] != "DATA_MESSAGE":
        return []
    events: list[Mapping[str, Any]] = batch["logEvents"]
    return events


def calls_in(events: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str | None, Measurement]]:
    """(tenant or None, measurement) of each line of a finished call; other lines are passed over.

    Calls of clients are told by the edge, those into customers' accounts by their sessions.

    A line that looks like a call and cannot be read is told and left out: it would stop the rest.
    """
    for event in events:
        try:
            line = json.loads(event["message"])
        except ValueError:
            continue  # START, END, REPORT, a trace of the runtime
        read = _LINES.get(line.get("message")) if isinstance(line, dict) else None
        if read is None:
            continue
        try:
            yield line["tenant_id"], read(str(event["id"]), line)
        except (KeyError, TypeError, ValueError) as error:
            logger.error("a call's log line cannot be counted", cause=repr(error))


def _call(event_id: str, line: Mapping[str, Any]) -> Measurement:
    labels = {"route": str(line["route"])}
    if line["user_id"] is not None:
        labels["user"] = str(line["user_id"])
    return Measurement(
        id=event_id,
        kind="request",
        at=datetime.fromisoformat(line["timestamp"]),
        # A failed operation never answers 2xx (ERR-3), so from 400 on it failed.
        ok=int(line["status"]) < _FIRST_FAILURE,
        micros=round(float(line["Latency"]) * 1000),
        labels=labels,
    )


def _aws_call(event_id: str, line: Mapping[str, Any]) -> Measurement:
    answered, account = line["AwsErrors"] == 0, line.get("account_id")
    return Measurement(
        id=event_id,
        kind="aws",
        at=datetime.fromisoformat(line["timestamp"]),
        ok=answered,
        cost_nanos=_PRICES.get(line["aws_service"], 0) if answered else 0,
        labels={"account": account} if account else {},
    )


_LINES: Mapping[Any, Callable[[str, Mapping[str, Any]], Measurement]] = {
    CALL: _call,
    AWS_CALL: _aws_call,
}


def execution_in(event: Mapping[str, Any]) -> tuple[str, Measurement] | None:
    """(tenant, measurement) of an execution's end as the bus tells it; None for other events.

    Named after the execution, not the event: an execution ends once.
    """
    ok = _EXECUTION_ENDS.get(str(event.get("detail-type")))
    if ok is None:
        return None
    detail = event["detail"]
    data, ended = detail["data"], datetime.fromisoformat(detail["occurred_at"])
    started, completed = data.get("started_at"), data.get("completed_at")
    micros = 0
    if started is not None and completed is not None:
        life = datetime.fromisoformat(completed) - datetime.fromisoformat(started)
        micros = max(0, round(life.total_seconds() * 1_000_000))
    measurement = Measurement(
        str(data["execution_id"]), "execution", ended, ok, micros,
        labels={"workflow": str(data["workflow_id"])},
    )  # fmt: skip
    return str(detail["tenant_id"]), measurement


def inference_in(record: Mapping[str, Any]) -> tuple[str, Measurement] | None:
    """(tenant, measurement) of a change of a row of AI usage; None for every other change.

    `record` is one of the stream of the table `ai`, whose rows USE#<day>#<user>#<model> count what
    was paid, in the transaction that paid it. The stream's own number names the measurement.
    """
    change = record["dynamodb"]
    pk, sk = change["Keys"]["pk"]["S"], change["Keys"]["sk"]["S"]
    if not pk.startswith("T#") or not sk.startswith("USE#") or "NewImage" not in change:
        return None
    new, old = change["NewImage"], change.get("OldImage", {})

    def added(name: str) -> int:
        return int(new.get(name, {}).get("N", 0)) - int(old.get(name, {}).get("N", 0))

    if added("requests") <= 0:
        return None
    measurement = Measurement(
        id=str(change["SequenceNumber"]),
        kind="ai",
        at=from_epoch(float(change["ApproximateCreationDateTime"])),
        ok=True,
        cost_nanos=added("cost"),
        tokens=added("input_tokens") + added("output_tokens"),
        labels={"model": new["model"]["S"], "user": new["user_id"]["S"]},
    )
    return pk.split("#")[1], measurement
