"""Which nodes run and which are skipped (WF-2), as pure functions of settled nodes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from tidegate.workflows.graph import ERROR, SKIPPED, Graph
from tidegate.workflows.graph.algorithms import stable_order
from tidegate.workflows.nodes import NODE_TYPES
from tidegate.workflows.nodes.base import Handles


class Status(StrEnum):
    """The status of a step; the last four are terminal."""

    RUNNING = "running"
    WAITING = "waiting"
    COMPLETED = "completed"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Settled:
    """How a node ended: its status and the route that is active behind it (None: no route)."""

    status: Status
    route: str | None


class Decision(StrEnum):
    """What to do with a node."""

    RUN = "run"
    SKIP = "skip"
    NOT_YET = "not_yet"


class Flow:
    """The routes of a graph's edges. All lists are by node place; an edge is (other end, route)."""

    __slots__ = ("_rank", "_successors", "graph", "handles", "incoming", "outgoing")

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.handles: list[Handles] = [
            NODE_TYPES[node.type].handles(node.data) for node in graph.nodes
        ]
        self.outgoing: list[list[tuple[int, str]]] = [
            [(target, edge.handle or self.handles[place].unnamed or "") for target, edge in edges]
            for place, edges in enumerate(graph.outgoing)
        ]
        self.incoming: list[list[tuple[int, str]]] = [[] for _ in graph.nodes]
        for place, edges in enumerate(self.outgoing):
            for target, route in edges:
                self.incoming[target].append((place, route))
        self._successors: list[list[int]] | None = None
        self._rank: list[int] | None = None

    @property
    def successors(self) -> list[list[int]]:
        """Each node's followers, without repeats."""
        if self._successors is None:
            self._successors = [
                list(dict.fromkeys(target for target, _ in edges)) for edges in self.outgoing
            ]
        return self._successors

    @property
    def rank(self) -> list[int]:
        """Each node's place in topological order, ties in definition order (WF-8)."""
        if self._rank is None:
            self._rank = [0] * len(self.outgoing)
            for place, node in enumerate(stable_order(self.successors)):
                self._rank[node] = place
        return self._rank

    def routes(self, place: int) -> tuple[str, ...]:
        """Every route a run of the node can take."""
        handles = self.handles[place]
        return (*handles.routes, ERROR) if handles.error else handles.routes

    def has_edge(self, place: int, route: str) -> bool:
        """True when an edge leaves the node on that route."""
        return any(taken == route for _, taken in self.outgoing[place])

    def decide(self, place: int, settled: Mapping[int, Settled]) -> Decision:
        """RUN when all predecessors are settled and an incoming edge is active; else SKIP."""
        edges = self.incoming[place]
        if not edges:
            return Decision.RUN
        active = False
        for source, route in edges:
            end = settled.get(source)
            if end is None:
                return Decision.NOT_YET
            active = active or end.route == route
        return Decision.RUN if active else Decision.SKIP

    def skipped_by(self, place: int, route: str | None) -> list[int]:
        """The nodes that are skipped for certain once this node ends with this route.

        Those are the nodes all of whose incoming edges come from the node's other routes or from
        nodes skipped by it. `route` None or SKIPPED means that the node itself was skipped.
        """
        dead: list[int] = []
        counts: dict[int, int] = {}
        work = [target for target, taken in self.outgoing[place] if taken != route]
        while work:
            node = work.pop()
            counts[node] = counts.get(node, 0) + 1
            if counts[node] == len(self.incoming[node]):
                dead.append(node)
                work += [target for target, _ in self.outgoing[node]]
        return dead

    def skip_ids(self, node_id: str, route: str | None) -> tuple[str, ...]:
        """`skipped_by` in ids, in topological order."""
        taken = None if route == SKIPPED else route
        dead = self.skipped_by(self.graph.index[node_id], taken)
        dead.sort(key=self.rank.__getitem__)
        return tuple(self.graph.nodes[place].id for place in dead)
