"""Raw JSON to Graph. Tolerates extra keys (kept in `raw`), reports every misshapen part."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tidegate.workflows.graph.issues import IssueLog
from tidegate.workflows.graph.model import Edge, Graph, Limits, Node

_NODE_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_MAX_EDGE_ID = 200
_MAX_TYPE = 64


@dataclass(frozen=True, slots=True)
class Parsed:
    """`graph` is None when the definition is not even an object of two lists."""

    graph: Graph | None
    well_shaped: bool


def parse_definition(
    raw: object,
    log: IssueLog,
    *,
    path: str = "",
    limits: Limits | None = None,
    octets: int | None = None,
) -> Parsed:
    """Read one definition and log what is misshapen, DUPLICATE_* and LIMIT_EXCEEDED.

    `path` prefixes the paths of issues (nested definitions). `octets` is the size of the JSON text
    when the caller knows it; it is measured otherwise. Linear in the size of the definition.
    """
    limits = limits or Limits()
    before = len(log)
    if not isinstance(raw, dict):
        log.add("INVALID_DATA", "A definition is an object with nodes and edges.", path)
        return Parsed(None, False)
    if too_deep(raw, limits.json_depth):
        log.add("LIMIT_EXCEEDED", f"JSON nests deeper than {limits.json_depth} levels.", path)
        return Parsed(None, False)
    if octets is None and not path:
        octets = len(json.dumps(raw, ensure_ascii=False).encode("utf-8", "surrogatepass"))
    if octets is not None and octets > limits.octets:
        log.add("LIMIT_EXCEEDED", f"The definition is larger than {limits.octets} bytes.", path)
    lists = {name: _list(raw, name, path, log) for name in ("nodes", "edges")}
    for name, limit in (("nodes", limits.nodes), ("edges", limits.edges)):
        if len(lists[name]) > limit:
            log.add("LIMIT_EXCEEDED", f"There are more than {limit} {name}.", _join(path, name))
    shape = len(log)
    nodes, bad_nodes = _nodes(lists["nodes"], path, log)
    edges, bad_edges = _edges(lists["edges"], path, log)
    well_shaped = shape == before and not bad_nodes and not bad_edges
    return Parsed(Graph(raw, nodes, edges), well_shaped)


def too_deep(value: object, limit: int) -> bool:
    """True when a list or object nests deeper than `limit`; iterative, so no stack runs out."""
    level: list[Any] = [value]
    for _ in range(limit + 1):
        level = [
            child
            for item in level
            for child in (item.values() if type(item) is dict else item)
            if type(child) is dict or type(child) is list
        ]
        if not level:
            return False
    return True


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _list(raw: Mapping[str, Any], name: str, path: str, log: IssueLog) -> list[Any]:
    value = raw.get(name)
    if isinstance(value, list):
        return value
    log.add("INVALID_DATA", f"'{name}' must be a list.", _join(path, name))
    return []


def _nodes(raw: list[Any], path: str, log: IssueLog) -> tuple[tuple[Node, ...], bool]:
    nodes: list[Node] = []
    seen: set[str] = set()
    bad = False
    base = _join(path, "nodes")
    for position, item in enumerate(raw):
        if not isinstance(item, dict):
            log.add("INVALID_DATA", "A node is an object.", f"{base}[{position}]")
            bad = True
            continue
        node_id, kind, data = item.get("id"), item.get("type"), item.get("data", {})
        if not (isinstance(node_id, str) and _NODE_ID.fullmatch(node_id)):
            message = "A node id is 1 to 64 of A-Z a-z 0-9 _ -."
            log.add("INVALID_DATA", message, f"{base}[{position}].id")
            bad = True
            continue
        if not (isinstance(kind, str) and 0 < len(kind) <= _MAX_TYPE):
            place = f"{base}[{position}].type"
            log.add("INVALID_DATA", "A node has a type.", place, node_id=node_id)
            bad = True
            kind = ""
        if not isinstance(data, dict):
            place = f"{base}[{position}].data"
            log.add("INVALID_DATA", "A node's data is an object.", place, node_id=node_id)
            bad = True
            data = {}
        if "position" in item and _bad_position(item["position"]):
            place = f"{base}[{position}].position"
            log.add("INVALID_DATA", "A position is {x, y} in numbers.", place, node_id=node_id)
            bad = True
        if node_id in seen:
            message = f"The node id '{node_id}' is used more than once."
            log.add("DUPLICATE_NODE_ID", message, f"{base}[{position}].id", node_id=node_id)
            continue
        seen.add(node_id)
        nodes.append(Node(node_id, kind, data, item, position))
    return tuple(nodes), bad


def _bad_position(where: object) -> bool:
    if where is None:
        return False
    if not isinstance(where, dict):
        return True
    return any(type(where.get(axis)) not in (int, float) for axis in ("x", "y"))


def _edges(raw: list[Any], path: str, log: IssueLog) -> tuple[tuple[Edge, ...], bool]:
    edges: list[Edge] = []
    seen: set[str] = set()
    bad = False
    base = _join(path, "edges")
    for position, item in enumerate(raw):
        if not isinstance(item, dict):
            log.add("INVALID_DATA", "An edge is an object.", f"{base}[{position}]")
            bad = True
            continue
        edge_id, source, target = item.get("id"), item.get("source"), item.get("target")
        if not (isinstance(edge_id, str) and 0 < len(edge_id) <= _MAX_EDGE_ID):
            message = f"An edge id is 1 to {_MAX_EDGE_ID} characters."
            log.add("INVALID_DATA", message, f"{base}[{position}].id")
            bad = True
            continue
        handle = item.get("sourceHandle")
        if not (isinstance(source, str) and isinstance(target, str)):
            message = "An edge names its source and target."
            log.add("INVALID_DATA", message, f"{base}[{position}]", edge_id=edge_id)
            bad = True
            continue
        if handle is not None and not isinstance(handle, str):
            place = f"{base}[{position}].sourceHandle"
            log.add("INVALID_DATA", "A source handle is text.", place, edge_id=edge_id)
            bad = True
            continue
        if edge_id in seen:
            message = f"The edge id '{edge_id[:64]}' is used more than once."
            log.add("DUPLICATE_EDGE_ID", message, f"{base}[{position}].id", edge_id=edge_id)
            continue
        seen.add(edge_id)
        edges.append(Edge(edge_id, source, target, handle or None, item, position))
    return tuple(edges), bad
