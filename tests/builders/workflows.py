"""Definitions and services for tests of workflows."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import boto3
import pytest
from tidegate.workflows import tasks, wiring

from tests.builders.settings import PLATFORM_ACCOUNT, PREFIX, REGION
from tests.fakes.workflows import EngineMachines

BUCKET = "tidegate-test-data"
ENVIRONMENT = {
    "DATA_BUCKET": BUCKET,
    "WORKFLOW_MACHINE_ROLE_ARN": f"arn:aws:iam::{PLATFORM_ACCOUNT}:role/tidegate-test-machine",
    "WORKFLOW_STEP_FUNCTION_ARN": (
        f"arn:aws:lambda:{REGION}:{PLATFORM_ACCOUNT}:function:tidegate-test-workflow-step"
    ),
    "WORKFLOW_SCHEDULE_GROUP": "tidegate-test-workflows",
    "WORKFLOW_SCHEDULE_FUNCTION_ARN": (
        f"arn:aws:lambda:{REGION}:{PLATFORM_ACCOUNT}:function:tidegate-test-workflow-schedule"
    ),
    "WORKFLOW_SCHEDULE_ROLE_ARN": f"arn:aws:iam::{PLATFORM_ACCOUNT}:role/tidegate-test-schedule",
}


def node(node_id: str, kind: str = "transform", **data: Any) -> dict[str, Any]:
    """A node; a transform gives {"by": its id} unless told otherwise."""
    if kind == "transform" and "output" not in data:
        data["output"] = {"by": node_id}
    return {"id": node_id, "type": kind, "data": data}


def edge(source: str, target: str, handle: str | None = None) -> dict[str, Any]:
    """An edge, its id made of its ends."""
    made = {"id": f"{source}-{handle or ''}-{target}", "source": source, "target": target}
    return {**made, "sourceHandle": handle} if handle else made


def graph(*parts: dict[str, Any]) -> dict[str, Any]:
    """A definition of nodes and edges in any order."""
    return {
        "nodes": [part for part in parts if "source" not in part],
        "edges": [part for part in parts if "source" in part],
    }


def chain(*nodes: dict[str, Any]) -> dict[str, Any]:
    """start, the nodes one after the other, end."""
    row = [node("start", "start"), *nodes, node("end", "end")]
    edges = [edge(a["id"], b["id"]) for a, b in pairwise(row)]
    return graph(*row, *edges)


def make_bucket() -> None:
    """The bucket of large data and the group of schedules in the AWS double."""
    scheduler = boto3.client("scheduler", region_name=REGION)
    scheduler.create_schedule_group(Name=ENVIRONMENT["WORKFLOW_SCHEDULE_GROUP"])
    boto3.client("s3", region_name=REGION).create_bucket(Bucket=BUCKET)


def install_engine(monkeypatch: pytest.MonkeyPatch) -> EngineMachines:
    """State machines that run in this process; the step function is the product's own."""
    engine = EngineMachines(tasks.step)
    monkeypatch.setattr(wiring, "machines_of", lambda settings: engine)
    return engine


def follow_stream() -> None:
    """Give every item of the table to the stream's consumer, as if it had just been written."""
    client = boto3.client("dynamodb", region_name=REGION)
    items = client.scan(TableName=f"{PREFIX}-workflows")["Items"]
    records = [
        {"dynamodb": {"NewImage": item, "SequenceNumber": str(number)}}
        for number, item in enumerate(items)
    ]
    assert tasks.follow({"Records": records}, None) == {"batchItemFailures": []}
