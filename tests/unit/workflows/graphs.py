"""Random valid definitions and random behaviour of their steps, both from one seed."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from tidegate.workflows.interpreter import Attempt, Visit
from tidegate.workflows.nodes import NODE_TYPES, Done, Loop, StepError

PLAIN = ("transform", "http", "email", "delay", "condition", "switch", "approval", "subworkflow")
_CONDITION = {"left": 1, "op": "eq", "right": 1}


def node_data(kind: str, rng: random.Random) -> dict[str, Any]:
    """Valid data of a type."""
    data: dict[str, Any] = {
        "start": {},
        "end": {},
        "transform": {"output": {"x": 1}},
        "http": {"method": "POST", "url": "https://example.com/"},
        "email": {"to": "a@example.com", "template": "follow_up_template"},
        "delay": {"seconds": rng.choice([rng.randint(1, 40), "{{input.pause}}"])},
        "condition": {"condition": _CONDITION},
        "switch": {
            "value": 1,
            "cases": [{"name": "one way", "equals": 1}, {"name": "two", "equals": 2}],
        },
        "approval": {"title": "May I?"},
        "subworkflow": {"workflow_id": "w", "input": {}},
        "fail": {"error": "E", "message": "m"},
    }[kind]
    data = dict(data)
    if kind in ("http", "email") and rng.random() < 0.5:
        data["retry"] = {
            "max_attempts": rng.randint(1, 3),
            "interval_seconds": rng.choice([1, 1.5, 3]),
            "backoff_rate": rng.choice([1, 2, 2.5]),
        }
    if kind in ("http", "email") and rng.random() < 0.3:
        data["timeout_seconds"] = rng.choice([30, 60])
    return data


def handles_of(kind: str, data: dict[str, Any], errors: bool) -> list[str | None]:
    """Source handles that may be used."""
    handles = NODE_TYPES[kind].handles(data)
    used: list[str | None] = [None if route == "next" else route for route in handles.routes]
    if errors and handles.error and kind in ("http", "email", "approval", "subworkflow", "foreach"):
        used.append("error")
    return used


def random_definition(
    seed: int, size: int, *, loops: bool = True, errors: bool = True, density: float = 0.35
) -> dict[str, Any]:
    """A valid definition of about `size` nodes."""
    rng = random.Random(seed)
    nodes: list[dict[str, Any]] = [{"id": "n0", "type": "start", "data": {}}]
    edges: list[dict[str, Any]] = []
    open_handles: dict[str, list[str | None]] = {"n0": [None]}

    def connect(source: str, target: str, handle: str | None) -> None:
        edge = {"id": f"e{len(edges)}", "source": source, "target": target}
        if handle is not None:
            edge["sourceHandle"] = handle
        edges.append(edge)

    for number in range(1, size):
        kind = rng.choice(PLAIN) if rng.random() < 0.7 else "transform"
        if loops and rng.random() < 0.08:
            kind = "foreach"
        node_id = f"n{number}"
        if kind == "foreach":
            inner = random_definition(rng.randrange(1 << 30), rng.randint(2, 6), loops=False)
            data = {
                "items": [1],
                "definition": inner,
                "max_concurrency": rng.randint(1, 3),
                "on_item_error": rng.choice(["fail", "collect"]),
            }
        else:
            data = node_data(kind, rng)
        nodes.append({"id": node_id, "type": kind, "data": data})
        recent = list(open_handles)[-6:] if rng.random() < 0.7 else list(open_handles)
        count = 1 + sum(rng.random() < density for _ in range(2))
        for source in rng.sample(recent, min(count, len(recent))):
            connect(source, node_id, rng.choice(open_handles[source]))
        open_handles[node_id] = handles_of(kind, data, errors)
    _close_branches(rng, nodes, edges, connect)
    return {"nodes": nodes, "edges": edges}


def _close_branches(
    rng: random.Random,
    nodes: list[dict[str, Any]],
    edges: list[dict[str, Any]],
    connect: Callable[[str, str, str | None], None],
) -> None:
    """Every branch of a condition or switch leads somewhere."""
    for place, node in enumerate(list(nodes)):
        used = {edge.get("sourceHandle") for edge in edges if edge["source"] == node["id"]}
        for handle in NODE_TYPES[node["type"]].handles(node["data"]).required:
            if handle in used:
                continue
            later = nodes[place + 1 :]
            if later and rng.random() < 0.6:
                target = rng.choice(later)["id"]
            else:
                target = f"z{len(nodes)}"
                kind = "fail" if rng.random() < 0.05 else "end"
                nodes.append({"id": target, "type": kind, "data": node_data(kind, rng)})
            connect(node["id"], target, handle)


def behaviour(seed: int, *, failures: float = 0.15) -> Callable[[Visit], Attempt]:
    """What each try of each step gives: a pure function of seed, step id and attempt."""

    def execute(visit: Visit) -> Attempt:
        rng = random.Random(f"{seed}/{visit.step_id}/{visit.attempt}")
        kind = visit.node.type
        seconds = rng.uniform(0.5, 20.0)
        if kind == "fail":
            return Attempt(StepError("E", "m"), seconds)
        if kind in ("http", "email", "approval", "subworkflow") and rng.random() < failures:
            retryable = kind in ("http", "email") and rng.random() < 0.7
            return Attempt(StepError("BROKEN", "It broke.", retryable=retryable), seconds)
        if kind in ("http", "email") and rng.random() < 0.05:
            seconds += 400.0  # passes any time-out
        if kind == "foreach":
            items = list(range(rng.randint(0, 4)))
            if items:
                return Attempt(Loop(items), seconds)
            return Attempt(Done({"results": [], "errors": [], "count": 0}), seconds)
        if kind == "start" or kind == "end":
            return Attempt(Done({}), seconds)
        routes = NODE_TYPES[kind].handles(visit.node.data).routes
        if kind == "delay" and isinstance(visit.node.data["seconds"], int):
            seconds = float(visit.node.data["seconds"])
        seen = sorted(key for key in visit.scope.nodes)
        output = {visit.node.id: rng.randrange(1000), "last": visit.step_id, "seen": seen}
        return Attempt(Done(output, rng.choice(routes)), seconds)

    return execute
