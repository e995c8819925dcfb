"""Per-node checks: known type, well-typed data, well-formed templates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from tidegate.workflows.conditions import tested_operands
from tidegate.workflows.graph import Graph, IssueLog, Node
from tidegate.workflows.nodes import NODE_TYPES, NodeType
from tidegate.workflows.nodes.email import MAIL_TEMPLATES
from tidegate.workflows.templating import Found, Path, find_templates
from tidegate.workflows.validation.context import ValidationContext

# Integration accounts are named by these; an aws_action's account_id is an AWS account.
_INTEGRATION_TYPES = frozenset({"email", "http"})


@dataclass(slots=True)
class NodeFindings:
    """What the nodes of one definition mention.

    `templates`: per node place, its well-formed templates. `calls`: (node id, path, workflow id).
    """

    templates: dict[int, list[Found]] = field(default_factory=dict)
    used: dict[Path, None] = field(default_factory=dict)
    tested: set[Path] = field(default_factory=set)
    calls: list[tuple[str, str, str]] = field(default_factory=list)

    def merge(self, other: NodeFindings) -> None:
        """Take over what a nested definition mentions."""
        self.used.update(other.used)
        self.tested |= other.tested
        self.calls += other.calls

    def required_inputs(self) -> tuple[Path, ...]:
        """Input paths used and nowhere tested, in order of use; a tested parent covers them."""
        return tuple(
            path
            for path in self.used
            if not any(path[:end] in self.tested for end in range(1, len(path) + 1))
        )


def check_nodes(
    graph: Graph,
    base: str,
    in_loop: bool,
    context: ValidationContext,
    errors: IssueLog,
    warnings: IssueLog,
) -> NodeFindings:
    """Log UNKNOWN_NODE_TYPE, INVALID_DATA, BAD_TEMPLATE and the warnings of every node."""
    findings = NodeFindings()
    for place, node in enumerate(graph.nodes):
        where = f"{base}nodes[{node.position}]"
        kind = NODE_TYPES.get(node.type)
        if kind is None:
            if node.type:
                message = f"There is no node type '{node.type}'."
                errors.add("UNKNOWN_NODE_TYPE", message, f"{where}.type", node_id=node.id)
            continue
        _check_data(kind, node, f"{where}.data", errors)
        found = _check_templates(kind, node, f"{where}.data", in_loop, errors)
        if found:
            findings.templates[place] = found
        _mention(findings, node, where, found, in_loop)
        _warn(node, f"{where}.data", context, warnings)
    return findings


def _check_data(kind: NodeType[Any], node: Node, where: str, errors: IssueLog) -> None:
    try:
        data = kind.data_model.model_validate(node.data)
    except ValidationError as error:
        for problem in error.errors(include_url=False, include_input=False, include_context=False):
            place = where + _place(problem["loc"])
            errors.add("INVALID_DATA", str(problem["msg"]), place, node_id=node.id)
        return
    for name, message in kind.check(data):
        errors.add("INVALID_DATA", message, f"{where}.{name}", node_id=node.id)


def _place(loc: Sequence[int | str]) -> str:
    # Pydantic adds the tags of unions ("str", "list[...]") to the place; they are not JSON keys.
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc]
    return "".join(part for part in parts if not _is_tag(part))[:300]


def _is_tag(part: str) -> bool:
    return part in (".str", ".int", ".float", ".bool") or ("[" in part[1:] and part[0] == ".")


def _check_templates(
    kind: NodeType[Any], node: Node, where: str, in_loop: bool, errors: IssueLog
) -> list[Found]:
    data: Mapping[str, Any] = node.data
    if kind.name == "foreach":  # the nested definition is checked as a definition
        data = {key: value for key, value in data.items() if key != "definition"}
    found = find_templates(data, where, in_loop=in_loop)
    secrets_allowed = kind.secrets_allowed
    for one in found:
        if one.problem is not None or (not secrets_allowed and one.path[0] == "secrets"):
            return _good_templates(kind, node, found, errors)
    return found


def _good_templates(
    kind: NodeType[Any], node: Node, found: list[Found], errors: IssueLog
) -> list[Found]:
    good: list[Found] = []
    for one in found:
        problem = one.problem
        if problem is None and not kind.secrets_allowed and one.path[0] == "secrets":
            problem = f"A {kind.name} node stores or shows its data: no secrets here."
        if problem is None:
            good.append(one)
        else:
            errors.add("BAD_TEMPLATE", problem, one.place, node_id=node.id)
    return good


def _mention(
    findings: NodeFindings, node: Node, where: str, found: list[Found], in_loop: bool
) -> None:
    tested: set[Path] = set()
    if node.type == "condition":
        for operand in tested_operands(node.data.get("condition")):
            tested.update(one.path for one in find_templates(operand, "", in_loop=in_loop))
        findings.tested.update(path[1:] for path in tested if path and path[0] == "input")
    for path, _, _ in found:
        if path[0] == "input" and len(path) > 1 and path not in tested:
            findings.used[path[1:]] = None
    if node.type == "subworkflow":
        called = node.data.get("workflow_id")
        if isinstance(called, str):
            findings.calls.append((node.id, f"{where}.data.workflow_id", called))


def _warn(node: Node, where: str, context: ValidationContext, warnings: IssueLog) -> None:
    template = node.data.get("template") if node.type == "email" else None
    if isinstance(template, str) and "{{" not in template and template not in MAIL_TEMPLATES:
        message = f"There is no mail template '{template[:64]}'."
        warnings.add("UNKNOWN_MAIL_TEMPLATE", message, f"{where}.template", node_id=node.id)
    account = node.data.get("account_id")
    if (
        context.accounts is not None
        and node.type in _INTEGRATION_TYPES
        and isinstance(account, str)
        and "{{" not in account
        and account not in context.accounts
    ):
        message = f"There is no integration '{account[:64]}'."
        warnings.add("UNKNOWN_INTEGRATION", message, f"{where}.account_id", node_id=node.id)
