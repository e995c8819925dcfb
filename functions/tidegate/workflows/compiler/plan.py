"""What the step Lambda must know of a compiled machine besides the definition."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tidegate.workflows.graph import ERROR, NEXT, SKIPPED, Node
from tidegate.workflows.nodes import NODE_TYPES

_PLAIN = frozenset({NEXT, ERROR, SKIPPED, "true", "false", "default"})


@dataclass(frozen=True, slots=True)
class Gate:
    """A state that waits for nodes of other chains. `gate_id` is unique within its scope."""

    gate_id: str
    waits_for: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """The gates by scope ("" is the workflow, else the path of foreach ids)."""

    gates: Mapping[str, tuple[Gate, ...]]

    def gates_after(self, scope: str, node_id: str) -> tuple[Gate, ...]:
        """The gates of a scope that wait for a node."""
        return tuple(gate for gate in self.gates.get(scope, ()) if node_id in gate.waits_for)

    def gate(self, scope: str, gate_id: str) -> Gate:
        """One gate. Raises KeyError."""
        for gate in self.gates.get(scope, ()):
            if gate.gate_id == gate_id:
                return gate
        raise KeyError(gate_id)

    def as_dict(self) -> dict[str, Any]:
        """JSON data for the version's record."""
        return {
            scope: {gate.gate_id: list(gate.waits_for) for gate in gates}
            for scope, gates in self.gates.items()
            if gates
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Plan:
        """The plan of `as_dict`."""
        return cls(
            {
                scope: tuple(Gate(gate_id, tuple(waits)) for gate_id, waits in gates.items())
                for scope, gates in data.items()
            }
        )


def route_token(node: Node, route: str) -> str:
    """The name of a route inside a machine. Case names are users' text and stay out of it."""
    if route in _PLAIN and node.type != "switch":
        return route
    if route in (ERROR, SKIPPED, "default"):
        return route
    return f"case_{NODE_TYPES[node.type].handles(node.data).routes.index(route)}"
