"""n8n's file format: maps what has an equivalent, reports every node that has none (D18).

Format: https://docs.n8n.io/workflows/export-import/ - nodes with `name`, `type`, `parameters`,
`position: [x, y]`; `connections: {name: {main: [[{node, type, index}], ...]}}`, one inner list per
output. Nothing of a file is evaluated: an expression maps if it is a path, else it is reported.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from tidegate_kit.errors import Detail

from tidegate.workflows.errors import ImportInvalid
from tidegate.workflows.service.imports.n8n_nodes import CONVERTERS, TRIGGERS, NoEquivalent
from tidegate.workflows.service.imports.paths import Names
from tidegate.workflows.service.imports.report import Imported, Report

_MAX_NODES, _MAX_CONNECTIONS, _MAX_PROBLEMS = 200, 500, 100
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9_-]+")


def from_n8n(content: Mapping[str, Any]) -> Imported:
    """The workflow of an n8n file. Raises ImportInvalid naming every place that cannot be read."""
    problems: list[Detail] = []
    raw = _nodes(content.get("nodes"), problems)
    links = _connections(content.get("connections", {}), {node["name"] for node in raw}, problems)
    if problems:
        raise ImportInvalid(details=problems[:_MAX_PROBLEMS])
    ids = _ids([node["name"] for node in raw])
    triggers = {node["name"] for node in raw if node["type"].rpartition(".")[2] in TRIGGERS}
    names = Names(ids, triggers, _sources(links))
    report = Report()
    handles: dict[str, tuple[str | None, ...]] = {}
    nodes = [_node(node, names, report, handles) for node in raw]
    edges = [
        _edge(position, ids[source], ids[target], _handle(handles[source], output))
        for position, (source, output, target) in enumerate(links)
    ]
    name = content.get("name")
    return Imported(
        name=name.strip()[:200] if isinstance(name, str) and name.strip() else "Imported workflow",
        description="",
        definition={"nodes": nodes, "edges": edges},
        settings=None,
        report=report,
    )


def _nodes(raw: Any, problems: list[Detail]) -> list[dict[str, Any]]:
    if not isinstance(raw, list) or len(raw) > _MAX_NODES:
        problems.append(Detail("content.nodes", f"must be a list of at most {_MAX_NODES} nodes"))
        return []
    found: list[dict[str, Any]] = []
    seen: set[str] = set()
    for place, node in enumerate(raw):
        where = f"content.nodes[{place}]"
        if not isinstance(node, Mapping):
            problems.append(Detail(where, "must be an object"))
            continue
        name, kind = node.get("name"), node.get("type")
        if not isinstance(name, str) or not 0 < len(name) <= 200 or name in seen:
            problems.append(Detail(f"{where}.name", "must be a name of its own, 1 to 200 long"))
            continue
        if not isinstance(kind, str) or not 0 < len(kind) <= 200:
            problems.append(Detail(f"{where}.type", "must be text of 1 to 200 characters"))
            continue
        parameters = node.get("parameters", {})
        if not isinstance(parameters, Mapping):
            problems.append(Detail(f"{where}.parameters", "must be an object"))
            continue
        seen.add(name)
        found.append(
            {"name": name, "type": kind, "parameters": parameters, "at": node.get("position")}
        )
    return found


def _connections(raw: Any, known: set[str], problems: list[Detail]) -> list[tuple[str, int, str]]:
    """(source, output, target) of every connection."""
    if not isinstance(raw, Mapping):
        problems.append(Detail("content.connections", "must be an object"))
        return []
    links: list[tuple[str, int, str]] = []
    for source, kinds in raw.items():
        where = f"content.connections.{str(source)[:64]}"
        outputs = kinds.get("main", []) if isinstance(kinds, Mapping) else None
        if not isinstance(outputs, list) or source not in known:
            problems.append(Detail(where, "must belong to a node and hold a list in `main`"))
            continue
        for output, targets in enumerate(outputs):
            for target in targets if isinstance(targets, list) else []:
                to = target.get("node") if isinstance(target, Mapping) else None
                if not isinstance(to, str) or to not in known:
                    problems.append(Detail(f"{where}.main[{output}]", "leads to no node"))
                else:
                    links.append((str(source), output, to))
    if len(links) > _MAX_CONNECTIONS:
        problems.append(Detail("content.connections", f"holds more than {_MAX_CONNECTIONS}"))
    return links


def _ids(names: list[str]) -> dict[str, str]:
    """Our node ids by n8n name."""
    ids: dict[str, str] = {}
    for name in names:
        base = _UNSAFE.sub("_", name).strip("_")[:56] or "node"
        made, number = base, 1
        while made in ids.values():
            number += 1
            made = f"{base}_{number}"
        ids[name] = made
    return ids


def _sources(links: list[tuple[str, int, str]]) -> dict[str, list[str]]:
    sources: dict[str, list[str]] = {}
    for source, _, target in links:
        sources.setdefault(target, []).append(source)
    return sources


def _node(
    node: Mapping[str, Any],
    names: Names,
    report: Report,
    handles: dict[str, tuple[str | None, ...]],
) -> dict[str, Any]:
    name, full_type = node["name"], node["type"]
    short = full_type.rpartition(".")[2]
    made: dict[str, Any] = {"id": names.ids[name]}
    if _is_position(node["at"]):
        made["position"] = {"x": node["at"][0], "y": node["at"][1]}
    try:
        converter = CONVERTERS.get(short)
        if converter is None:
            raise NoEquivalent("There is no node type like it.")
        converted = converter(node["parameters"], names.reader(name))
    except NoEquivalent as error:
        report.unmapped.append({"node": name, "type": full_type, "reason": error.reason})
        handles[name] = (None,)
        # The node stays where it was, with what it held, for somebody to replace it.
        data = {"label": name, "n8n_parameters": dict(node["parameters"])}
        return {**made, "type": f"n8n.{short}"[:64], "data": data}
    report.mapped += 1
    handles[name] = converted.handles
    return {**made, "type": converted.type, "data": {"label": name, **converted.data}}


def _is_position(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 2
        and all(isinstance(one, int | float) and not isinstance(one, bool) for one in value)
    )


def _handle(handles: tuple[str | None, ...], output: int) -> str | None:
    return handles[output] if output < len(handles) else handles[-1]


def _edge(position: int, source: str, target: str, handle: str | None) -> dict[str, Any]:
    made: dict[str, Any] = {"id": f"e{position}", "source": source, "target": target}
    return made if handle is None else {**made, "sourceHandle": handle}
