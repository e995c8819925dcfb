"""Checks of edges and shape: ends, handles, one start, no cycle, everything reachable."""

from __future__ import annotations

from dataclasses import dataclass

from tidegate.workflows.graph import ERROR, Edge, Graph, IssueLog, Node
from tidegate.workflows.graph.algorithms import ancestors, bits, cycles, levels, reachable
from tidegate.workflows.nodes import NODE_TYPES
from tidegate.workflows.nodes.base import Handles

START = "start"


@dataclass(frozen=True, slots=True)
class Shape:
    """`above`: per node place the bit mask of its ancestors; None when there is a cycle."""

    above: list[int] | None


def check_structure(graph: Graph, base: str, errors: IssueLog) -> Shape:
    """Log the structural codes of WF-1; linear in nodes and edges."""
    handles = [_handles(node) for node in graph.nodes]
    _check_edges(graph, base, handles, errors)
    _check_branches(graph, base, handles, errors)
    successors: list[list[int]] = [
        [target for target, _ in targets if target != source]
        for source, targets in enumerate(graph.outgoing)
    ]
    starts = [place for place, node in enumerate(graph.nodes) if node.type == START]
    _check_starts(graph, base, starts, errors)
    if starts:
        _check_reach(graph, base, reachable(successors, starts), errors)
    order, _ = levels(successors)
    if len(order) == len(graph.nodes):
        return Shape(ancestors(order, successors))
    for component in cycles(successors):
        names = [graph.nodes[place].id for place in component]
        shown = ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")
        path = f"{base}nodes[{graph.nodes[component[0]].position}]"
        errors.add("CYCLE", f"These nodes form a cycle: {shown}.", path, node_id=names[0])
    return Shape(None)


def _handles(node: Node) -> Handles | None:
    kind = NODE_TYPES.get(node.type)
    return kind.handles(node.data) if kind is not None else None


def _check_edges(graph: Graph, base: str, handles: list[Handles | None], errors: IssueLog) -> None:
    index = graph.index
    for edge in graph.edges:
        source = index.get(edge.source)
        if source is None or edge.target not in index:
            _dangling(graph, base, edge, errors)
        elif edge.source == edge.target:
            where = f"{base}edges[{edge.position}]"
            message = f"The edge joins node '{edge.source}' to itself."
            errors.add("SELF_LOOP", message, where, node_id=edge.source, edge_id=edge.id)
        known = handles[source] if source is not None else None
        if known is None:
            continue
        handle = edge.handle if edge.handle is not None else known.unnamed
        if handle not in known.routes and not (handle == ERROR and known.error):
            where = f"{base}edges[{edge.position}].sourceHandle"
            message = f"Node '{edge.source}' has {_listing(known)}."
            errors.add("UNKNOWN_HANDLE", message, where, node_id=edge.source, edge_id=edge.id)


def _dangling(graph: Graph, base: str, edge: Edge, errors: IssueLog) -> None:
    for end, node_id in (("source", edge.source), ("target", edge.target)):
        if node_id not in graph.index:
            message = f"The edge's {end} '{node_id[:64]}' is not a node."
            where = f"{base}edges[{edge.position}].{end}"
            errors.add("DANGLING_EDGE", message, where, edge_id=edge.id)


def _listing(handles: Handles) -> str:
    known = [*handles.routes, *([ERROR] if handles.error else [])]
    return f"the handles {', '.join(known)}" if known else "no outgoing handle"


def _check_branches(
    graph: Graph, base: str, handles: list[Handles | None], errors: IssueLog
) -> None:
    for node, known in zip(graph.nodes, handles, strict=True):
        if known is None or not known.required:
            continue
        used = graph.handles_used(node.id)
        for handle in known.required:
            if handle not in used:
                message = f"The branch '{handle[:64]}' of node '{node.id}' leads nowhere."
                path = f"{base}nodes[{node.position}]"
                errors.add("MISSING_BRANCH", message, path, node_id=node.id)


def _check_starts(graph: Graph, base: str, starts: list[int], errors: IssueLog) -> None:
    if not starts:
        errors.add("MISSING_START", "There is no start node.", f"{base}nodes")
    for place in starts[1:]:
        node = graph.nodes[place]
        message = f"There is more than one start node; '{node.id}' is one too many."
        path = f"{base}nodes[{node.position}]"
        errors.add("MULTIPLE_START", message, path, node_id=node.id)


def _check_reach(graph: Graph, base: str, seen: int, errors: IssueLog) -> None:
    everything = (1 << len(graph.nodes)) - 1
    for place in bits(everything & ~seen):
        node = graph.nodes[place]
        message = f"The start does not lead to node '{node.id}'."
        path = f"{base}nodes[{node.position}]"
        errors.add("UNREACHABLE_NODE", message, path, node_id=node.id)
