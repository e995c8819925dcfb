"""Named shapes of graphs, as definitions of transform nodes."""

from __future__ import annotations

from typing import Any

from tidegate.workflows.compiler import CompileOptions
from tidegate.workflows.graph import Limits

UNLIMITED = Limits(nodes=10**6, edges=10**6, octets=10**9)
UNBOUNDED = CompileOptions(max_events=10**9)


class Sketch:
    """Collects nodes and edges."""

    def __init__(self) -> None:
        self.nodes: list[dict[str, Any]] = [{"id": "start", "type": "start", "data": {}}]
        self.edges: list[dict[str, Any]] = []

    def node(self, name: str, *sources: str) -> str:
        """A transform behind some nodes."""
        data = {"label": f"Step {name}", "output": {"value": "{{input.a}}", "n": 1}}
        position = {"x": len(self.nodes) * 10.5, "y": 3.25}
        self.nodes.append({"id": name, "type": "transform", "position": position, "data": data})
        for source in sources:
            edge = {"id": f"e{len(self.edges)}", "source": source, "target": name}
            self.edges.append({**edge, "sourceHandle": None, "targetHandle": None})
        return name

    @property
    def definition(self) -> dict[str, Any]:
        return {"nodes": self.nodes, "edges": self.edges}


def chain(length: int) -> dict[str, Any]:
    """One after the other."""
    sketch, last = Sketch(), "start"
    for number in range(length):
        last = sketch.node(f"n{number}", last)
    return sketch.definition


def diamonds(count: int) -> dict[str, Any]:
    """A chain of diamonds: 2^count paths."""
    sketch, last = Sketch(), "start"
    for number in range(count):
        left, right = sketch.node(f"l{number}", last), sketch.node(f"r{number}", last)
        last = sketch.node(f"j{number}", left, right)
    return sketch.definition


def ladder(rungs: int, width: int, skip: int = 3) -> dict[str, Any]:
    """Rows in which each node waits for most of the row above: no series-parallel structure."""
    sketch = Sketch()
    row = [sketch.node(f"n0_{column}", "start") for column in range(width)]
    for number in range(1, rungs):
        row = [
            sketch.node(
                f"n{number}_{column}",
                *[above for place, above in enumerate(row) if (place + column + number) % skip],
            )
            for column in range(width)
        ]
    return sketch.definition
