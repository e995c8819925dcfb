"""The immutable graph: nodes, edges and who precedes whom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

# Routes a finished step can take besides the branch names of its type.
NEXT: Final = "next"
ERROR: Final = "error"
SKIPPED: Final = "skipped"


@dataclass(frozen=True, slots=True)
class Limits:
    """Declared limits of one definition. Nodes and edges count over all nested definitions."""

    nodes: int = 200
    edges: int = 500
    octets: int = 256 * 1024
    json_depth: int = 64
    nesting: int = 3  # a foreach in a foreach in a foreach


class Node(NamedTuple):
    """One node. `raw` is the node as it was sent, with keys we do not know."""

    id: str
    type: str
    data: Mapping[str, Any]
    raw: Mapping[str, Any]
    position: int  # in the definition, 0-based; ties in order are broken by it


class Edge(NamedTuple):
    """One edge. `handle` is its sourceHandle, None when absent or empty."""

    id: str
    source: str
    target: str
    handle: str | None
    raw: Mapping[str, Any]
    position: int


class Graph:
    """A well-shaped definition. Node ids are unique here: later duplicates are reported, not kept.

    `arcs` are the edges whose two ends exist, as node indices; parallel edges stay.
    """

    __slots__ = ("arcs", "edges", "incoming", "index", "nodes", "outgoing", "raw")

    def __init__(
        self, raw: Mapping[str, Any], nodes: tuple[Node, ...], edges: tuple[Edge, ...]
    ) -> None:
        self.raw = raw
        self.nodes = nodes
        self.edges = edges
        self.index: dict[str, int] = {node.id: place for place, node in enumerate(nodes)}
        arcs: list[tuple[int, int, Edge]] = []
        outgoing: list[list[tuple[int, Edge]]] = [[] for _ in nodes]
        incoming: list[list[tuple[int, Edge]]] = [[] for _ in nodes]
        index = self.index
        for edge in edges:
            source, target = index.get(edge.source), index.get(edge.target)
            if source is None or target is None:
                continue
            arcs.append((source, target, edge))
            outgoing[source].append((target, edge))
            incoming[target].append((source, edge))
        self.arcs = tuple(arcs)
        self.outgoing = outgoing
        self.incoming = incoming

    def __len__(self) -> int:
        return len(self.nodes)

    def node(self, node_id: str) -> Node:
        """The node of an id. Raises KeyError."""
        return self.nodes[self.index[node_id]]

    def handles_used(self, node_id: str) -> frozenset[str | None]:
        """The source handles that have an edge."""
        return frozenset(edge.handle for _, edge in self.outgoing[self.index[node_id]])
