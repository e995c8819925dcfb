"""A version ready to be followed: its graphs, its gates and the content hashes of its nodes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tidegate.workflows.compiler import Gate, Plan, route_token
from tidegate.workflows.domain import content_hash
from tidegate.workflows.graph import Definition, Node, StepId, parse_step_id
from tidegate.workflows.interpreter import Flow
from tidegate.workflows.nodes import NODE_TYPES
from tidegate.workflows.templating import find_templates

# Neither changes what a node does.
_UNHASHED_DATA = frozenset({"label"})


class UnknownStep(LookupError):
    """No step of this version has that id."""


@dataclass(frozen=True)
class Place:
    """One step: its id taken apart, its node, and the graph around it."""

    step: StepId
    node: Node
    flow: Flow
    index: int

    @property
    def id(self) -> str:
        """The step id, e.g. `loop[0].inner`."""
        return str(self.step)

    def sibling(self, node_id: str) -> str:
        """The step id of another node of the same graph, in the same item."""
        return f"{self.step.prefix}{node_id}"

    @property
    def predecessors(self) -> list[str]:
        """The step ids that it follows."""
        nodes = self.flow.graph.nodes
        sources = dict.fromkeys(source for source, _ in self.flow.incoming[self.index])
        return [self.sibling(nodes[source].id) for source in sources]

    def token(self, route: str) -> str:
        """The name of a route inside the machine."""
        return route_token(self.node, route)


@dataclass
class Program:
    """One version. `stored_plan` is what was noted when its machine was published."""

    definition: Definition
    stored_plan: Mapping[str, Any]
    _flows: dict[str, Flow] = field(default_factory=dict)
    _hashes: dict[str, dict[str, str]] = field(default_factory=dict)
    _plan: Plan | None = None

    @property
    def plan(self) -> Plan:
        """The gates."""
        if self._plan is None:
            self._plan = Plan.from_dict(self.stored_plan)
        return self._plan

    def flow(self, scope: str = "") -> Flow:
        """The graph of a scope. Raises KeyError."""
        if scope not in self._flows:
            self._flows[scope] = Flow(self.definition.at(scope).graph)
        return self._flows[scope]

    def place(self, step_id: str) -> Place:
        """The place of a step. Raises UnknownStep."""
        try:
            step = parse_step_id(step_id)
            flow = self.flow(step.scope)
            index = flow.graph.index[step.node_id]
        except (KeyError, ValueError) as error:
            raise UnknownStep(step_id) from error
        return Place(step, flow.graph.nodes[index], flow, index)

    def order(self, step_id: str) -> tuple[int, ...]:
        """Where a step comes among those that start at the same time."""
        step = parse_step_id(step_id)
        names = step.scope.split("/") if step.scope else []
        order: list[int] = []
        scope = ""
        for name, position in zip(names, step.positions, strict=True):
            flow = self.flow(scope)
            order += (flow.rank[flow.graph.index[name]], position)
            scope = f"{scope}/{name}" if scope else name
        flow = self.flow(scope)
        return (*order, flow.rank[flow.graph.index[step.node_id]])

    def gates_after(self, place: Place, node_id: str) -> Iterator[tuple[str, Gate]]:
        """(step id of the gate, gate) of the gates that wait for a node near `place`."""
        for gate in self.plan.gates_after(place.step.scope, node_id):
            yield place.sibling(gate.gate_id), gate

    def mentions(self, place: Place) -> list[str]:
        """The step ids whose outputs or errors the node's templates mention (static)."""
        wanted: dict[str, None] = {}
        in_loop = bool(place.step.positions)
        for key, value in place.node.data.items():
            if key == "definition" and place.node.type == "foreach":
                continue
            for found in find_templates(value, "", in_loop=in_loop):
                if found.problem is None and found.path[0] == "nodes":
                    step_id = self._owner(place.step, found.path[1])
                    if step_id is not None:
                        wanted[step_id] = None
        return list(wanted)

    def _owner(self, step: StepId, node_id: str) -> str | None:
        """The step of that node id as seen from a step: the innermost graph that has it."""
        names = step.scope.split("/") if step.scope else []
        for depth in range(len(names), -1, -1):
            scope = "/".join(names[:depth])
            if node_id in self.flow(scope).graph.index:
                return str(StepId(scope, step.positions[:depth], node_id))
        return None

    def loop_of(self, step: StepId) -> tuple[str, int] | None:
        """(step id of the innermost foreach around a step, position in its items)."""
        if not step.positions:
            return None
        outer, _, name = step.scope.rpartition("/")
        return str(StepId(outer, step.positions[:-1], name)), step.positions[-1]

    def hash_of(self, step_id: str) -> str:
        """The content hash of a step's node and all upstream of it (WF-12)."""
        step = parse_step_id(step_id)
        return self.hashes(step.scope)[step.node_id]

    def hashes(self, scope: str = "") -> dict[str, str]:
        """Content hashes of a graph by node id; inside a foreach they include the foreach's own."""
        known = self._hashes.get(scope)
        if known is None:
            outer, _, name = scope.rpartition("/")
            seed = self.hashes(outer)[name] if scope else ""
            known = self._hashes[scope] = _hashes(self.flow(scope), seed)
        return known


def _hashes(flow: Flow, seed: str) -> dict[str, str]:
    nodes = flow.graph.nodes
    hashes: dict[str, str] = {}
    for place in sorted(range(len(nodes)), key=flow.rank.__getitem__):
        above = sorted((hashes[nodes[source].id], route) for source, route in flow.incoming[place])
        node = nodes[place]
        version = NODE_TYPES[node.type].version
        hashes[node.id] = content_hash([seed, node.type, version, _plain(node), above])
    return hashes


def _plain(node: Node) -> dict[str, Any]:
    """What of a node's data has a meaning; a nested definition loses labels and positions too."""
    data = {key: value for key, value in node.data.items() if key not in _UNHASHED_DATA}
    if node.type == "foreach":
        data["definition"] = _plain_definition(data.get("definition"))
    return data


def _plain_definition(definition: Any) -> Any:
    if not isinstance(definition, dict):
        return definition
    nodes = [
        {
            "id": node["id"],
            "type": node["type"],
            "data": {
                key: _plain_definition(value) if key == "definition" else value
                for key, value in node.get("data", {}).items()
                if key not in _UNHASHED_DATA
            },
        }
        for node in definition["nodes"]
    ]
    edges = [
        {key: edge.get(key) for key in ("source", "target", "sourceHandle")}
        for edge in definition["edges"]
    ]
    return {"nodes": nodes, "edges": edges}
