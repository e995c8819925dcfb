"""validate_definition: one walk over a definition and the ones nested in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tidegate.workflows.graph import Definition, Graph, Issue, IssueLog, Limits, parse_definition
from tidegate.workflows.graph.definition import FOREACH
from tidegate.workflows.templating import Path
from tidegate.workflows.validation.calls import check_calls
from tidegate.workflows.validation.context import ValidationContext
from tidegate.workflows.validation.data import NodeFindings, check_nodes
from tidegate.workflows.validation.references import Visible, check_references
from tidegate.workflows.validation.structure import check_structure


@dataclass(frozen=True, slots=True)
class Report:
    """What validation found. `definition` is None unless well-shaped.

    `required_inputs` are the paths below `input` that must be there to start (WF-5).
    """

    definition: Definition | None
    well_shaped: bool
    errors: tuple[Issue, ...]
    warnings: tuple[Issue, ...]
    required_inputs: tuple[Path, ...]

    @property
    def valid(self) -> bool:
        """No errors."""
        return not self.errors


@dataclass(slots=True)
class _Walk:
    """The state of one validation."""

    context: ValidationContext
    limits: Limits
    errors: IssueLog
    warnings: IssueLog
    findings: NodeFindings
    well_shaped: bool = True
    nodes: int = 0
    edges: int = 0


def validate_definition(
    raw: object,
    context: ValidationContext | None = None,
    *,
    limits: Limits | None = None,
    octets: int | None = None,
) -> Report:
    """Every problem of a raw definition; linear in its size. Never raises on any JSON data.

    `octets`: size of the definition's JSON text where the caller knows it (spares measuring).
    """
    walk = _Walk(
        context or ValidationContext(), limits or Limits(), IssueLog(), IssueLog(), NodeFindings()
    )
    definition = _check(walk, raw, "", octets, Visible(frozenset(), in_loop=False), 0)
    nested = definition is not None and bool(definition.loops)
    if nested and (walk.nodes > walk.limits.nodes or walk.edges > walk.limits.edges):
        message = f"More than {walk.limits.nodes} nodes or {walk.limits.edges} edges in all."
        walk.errors.add("LIMIT_EXCEEDED", message, "")
        walk.well_shaped = False
    check_calls(walk.findings.calls, walk.context, walk.errors)
    return Report(
        definition if walk.well_shaped else None,
        walk.well_shaped,
        walk.errors.as_tuple(),
        walk.warnings.as_tuple(),
        walk.findings.required_inputs(),
    )


def _check(
    walk: _Walk, raw: object, path: str, octets: int | None, outer: Visible, depth: int
) -> Definition | None:
    parsed = parse_definition(raw, walk.errors, path=path, limits=walk.limits, octets=octets)
    walk.well_shaped &= parsed.well_shaped
    graph = parsed.graph
    if graph is None:
        return None
    walk.nodes += len(graph.nodes)
    walk.edges += len(graph.edges)
    base = f"{path}." if path else ""
    found = check_nodes(graph, base, outer.in_loop, walk.context, walk.errors, walk.warnings)
    walk.findings.merge(found)
    shape = check_structure(graph, base, walk.errors)
    check_references(graph, base, found, shape.above, outer, walk.context, walk.errors)
    return Definition(graph, _loops(walk, graph, base, shape.above, outer, depth))


def _loops(
    walk: _Walk, graph: Graph, base: str, above: list[int] | None, outer: Visible, depth: int
) -> Mapping[str, Definition]:
    loops: dict[str, Definition] = {}
    for place, node in enumerate(graph.nodes):
        if node.type != FOREACH:
            continue
        path = f"{base}nodes[{node.position}].data.definition"
        if depth + 1 > walk.limits.nesting:
            message = f"A foreach nests at most {walk.limits.nesting} deep."
            walk.errors.add("LIMIT_EXCEEDED", message, path, node_id=node.id)
            walk.well_shaped = False
            continue
        visible = outer.inside(graph, above, place)
        inner = _check(walk, node.data.get("definition"), path, None, visible, depth + 1)
        if inner is not None:
            loops[node.id] = inner
    return loops
