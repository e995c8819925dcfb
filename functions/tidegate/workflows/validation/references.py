"""Checks of what templates mention: upstream nodes and declared secrets (WF-4)."""

from __future__ import annotations

from dataclasses import dataclass

from tidegate.workflows.graph import ERROR, Graph, IssueLog
from tidegate.workflows.graph.algorithms import bits
from tidegate.workflows.templating import Found
from tidegate.workflows.validation.context import ValidationContext
from tidegate.workflows.validation.data import NodeFindings


@dataclass(frozen=True, slots=True)
class Visible:
    """The nodes of enclosing definitions that a nested one may mention."""

    nodes: frozenset[str]
    in_loop: bool

    def inside(self, graph: Graph, above: list[int] | None, place: int) -> Visible:
        """What the definition nested in the foreach at `place` sees."""
        if above is None:
            own = {node.id for node in graph.nodes}
        else:
            own = {graph.nodes[one].id for one in bits(above[place])}
        return Visible(self.nodes | own, in_loop=True)


def check_references(
    graph: Graph,
    base: str,
    findings: NodeFindings,
    above: list[int] | None,
    outer: Visible,
    context: ValidationContext,
    errors: IssueLog,
) -> None:
    """Log UNKNOWN_REFERENCE. On a cyclic graph only the existence of nodes is checked."""
    for place, templates in findings.templates.items():
        node_id = graph.nodes[place].id
        for found in templates:
            problem = None
            if found.path[0] == "nodes":
                problem = _node_problem(graph, place, found, above, outer)
            elif found.path[0] == "secrets":
                known = context.secrets is None or found.path[1] in context.secrets
                problem = None if known else f"There is no secret '{found.path[1]}'."
            if problem is not None:
                errors.add("UNKNOWN_REFERENCE", problem, found.place, node_id=node_id)


def _node_problem(
    graph: Graph, place: int, found: Found, above: list[int] | None, outer: Visible
) -> str | None:
    name = found.path[1]
    target = graph.index.get(name)
    if target is None:
        return None if name in outer.nodes else f"There is no node '{name}' upstream."
    if above is not None and not above[place] >> target & 1:
        return f"Node '{name}' is not upstream of node '{graph.nodes[place].id}'."
    if found.path[2] == ERROR and ERROR not in graph.handles_used(name):
        return f"Node '{name}' has no error edge, so its error is never seen."
    return None
