"""Small pure rules that the step Lambda and the reference interpreter share."""

from __future__ import annotations

import math
from collections import ChainMap
from collections.abc import Mapping, Sequence
from typing import Any, Final

from tidegate.workflows.graph import ERROR, Node
from tidegate.workflows.interpreter.flow import Flow, Settled, Status
from tidegate.workflows.nodes import Done, StepError
from tidegate.workflows.nodes.base import DEFAULT_TIMEOUT_SECONDS, RetryPolicy

# Step Functions waits whole seconds; the longest pause between two tries is a day.
MAX_RETRY_DELAY_SECONDS: Final = 86_400


def retry_policy(node: Node) -> RetryPolicy:
    """The node's retry settings, defaults where it has none. The data is valid."""
    raw = node.data.get("retry")
    return RetryPolicy.model_validate(raw) if raw is not None else _NO_RETRY


_NO_RETRY: Final = RetryPolicy()


def retry_delay(policy: RetryPolicy, failed_attempts: int) -> float:
    """Seconds before the next try, without jitter (full jitter waits up to that long)."""
    first = math.ceil(policy.interval_seconds)
    return float(min(first * policy.backoff_rate ** (failed_attempts - 1), MAX_RETRY_DELAY_SECONDS))


def timeout_seconds(node: Node) -> int:
    """data.timeout_seconds or its default."""
    return int(node.data.get("timeout_seconds", DEFAULT_TIMEOUT_SECONDS))


def route_after(flow: Flow, place: int, done: Done) -> str:
    """The route a completed step takes. Raises StepError where that way may not be left out (WF-7).

    A rejected approval without a false edge fails; nothing bypasses it.
    """
    refused = flow.graph.nodes[place].type == "approval" and done.route != "true"
    if refused and not flow.has_edge(place, done.route):
        raise StepError("APPROVAL_REJECTED", "The approval was rejected.")
    return done.route


def settle_failure(flow: Flow, place: int) -> Settled:
    """How a finally failed step ends: on its error edge, or with no route (the run fails)."""
    return Settled(Status.FAILED, ERROR if flow.has_edge(place, ERROR) else None)


def visible_nodes(
    outputs: Mapping[str, Mapping[str, Any]], outer: Mapping[str, Any] | None = None
) -> Mapping[str, Any]:
    """`nodes` of a template scope: {"output"} or {"error"} by id; a loop also sees its outside."""
    return ChainMap(dict(outputs), dict(outer)) if outer else outputs


def merge_output(flow: Flow, outputs: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The output of a finished graph (WF-8). `outputs` holds {"output"} of the completed nodes."""
    nodes = flow.graph.nodes
    order = sorted(range(len(nodes)), key=flow.rank.__getitem__)
    ends = [
        place
        for place in order
        if nodes[place].type == "end"
        and nodes[place].data.get("output") is not None
        and "output" in outputs.get(nodes[place].id, ())
    ]
    merged: dict[str, Any] = {}
    for place in ends or order:
        output = outputs.get(nodes[place].id, {}).get("output")
        if isinstance(output, dict):
            merged.update(output)
    return merged


def loop_answer(results: Sequence[Any], errors: Mapping[int, StepError]) -> dict[str, Any]:
    """What a foreach is finished with: a result per item, null for a failed one, and the errors."""
    listed = [
        {"index": index, "code": error.code, "message": error.message}
        for index, error in sorted(errors.items())
    ]
    return {"results": list(results), "errors": listed}
