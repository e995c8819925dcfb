"""Definitions and services for tests of workflows."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import boto3

from tests.builders.settings import PLATFORM_ACCOUNT, REGION

BUCKET = "tidegate-test-data"
ENVIRONMENT = {
    "DATA_BUCKET": BUCKET,
    "WORKFLOW_MACHINE_ROLE_ARN": f"arn:aws:iam::{PLATFORM_ACCOUNT}:role/tidegate-test-machine",
    "WORKFLOW_STEP_FUNCTION_ARN": (
        f"arn:aws:lambda:{REGION}:{PLATFORM_ACCOUNT}:function:tidegate-test-workflow-step"
    ),
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
    """The bucket of large data in the AWS double."""
    boto3.client("s3", region_name=REGION).create_bucket(Bucket=BUCKET)
