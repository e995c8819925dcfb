"""A definition with its nested ones: the graph of the workflow and of every foreach in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tidegate.workflows.graph.issues import IssueLog
from tidegate.workflows.graph.model import Graph, Limits
from tidegate.workflows.graph.parse import parse_definition

FOREACH = "foreach"


@dataclass(frozen=True, slots=True)
class Definition:
    """`loops` maps the id of a foreach node to the definition it repeats."""

    graph: Graph
    loops: Mapping[str, Definition] = field(default_factory=dict)

    def walk(self, scope: str = "") -> Iterator[tuple[str, Definition]]:
        """(scope, definition) of this one and all nested ones; a scope is `outer/inner`."""
        yield scope, self
        for node_id, inner in self.loops.items():
            yield from inner.walk(f"{scope}/{node_id}" if scope else node_id)

    def at(self, scope: str) -> Definition:
        """The definition of a scope. Raises KeyError."""
        found = self
        for node_id in scope.split("/") if scope else ():
            found = found.loops[node_id]
        return found


def load_definition(raw: object, limits: Limits | None = None) -> Definition:
    """A stored, once validated definition. Raises ValueError when it is not well-shaped."""
    log = IssueLog()
    parsed = parse_definition(raw, log, limits=limits, octets=0)
    if parsed.graph is None or not parsed.well_shaped:
        raise ValueError("the definition is not well-shaped")
    loops = {
        node.id: load_definition(node.data.get("definition"), limits)
        for node in parsed.graph.nodes
        if node.type == FOREACH
    }
    return Definition(parsed.graph, loops)


@dataclass(frozen=True, slots=True)
class StepId:
    """A step id taken apart: `loop[0].inner` is node `inner` of scope `loop`, positions (0,)."""

    scope: str
    positions: tuple[int, ...]
    node_id: str

    @property
    def prefix(self) -> str:
        """What comes before the node id, e.g. `loop[0].`."""
        names = self.scope.split("/") if self.scope else []
        return "".join(
            f"{name}[{place}]." for name, place in zip(names, self.positions, strict=True)
        )

    def __str__(self) -> str:
        return f"{self.prefix}{self.node_id}"


def parse_step_id(text: str) -> StepId:
    """The parts of a step id. Raises ValueError."""
    *loops, node_id = text.split(".")
    names: list[str] = []
    positions: list[int] = []
    for part in loops:
        name, _, rest = part.partition("[")
        if not rest.endswith("]") or not rest[:-1].isdecimal():
            raise ValueError("not a step id")
        names.append(name)
        positions.append(int(rest[:-1]))
    return StepId("/".join(names), tuple(positions), node_id)
