"""Runs one node: fill its templates, check its data, run it, hide its secrets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from tidegate.workflows.graph import Node
from tidegate.workflows.nodes.base import Done, NodeData, NodeType, Outcome
from tidegate.workflows.nodes.context import NodeContext
from tidegate.workflows.nodes.errors import StepError
from tidegate.workflows.nodes.fields import RESOLVED
from tidegate.workflows.nodes.ports import Ports
from tidegate.workflows.nodes.registry import NODE_TYPES
from tidegate.workflows.templating import Renderer, Scope, TemplateError, redact


@dataclass(frozen=True, slots=True)
class StepCall:
    """One try of one step: who it is, what it may see and what it may use."""

    node: Node
    step_id: str
    execution_id: str
    scope: Scope
    ports: Ports
    now: Callable[[], datetime]
    attempt: int = 1
    task_token: str | None = None

    @property
    def effect_key(self) -> str:
        """The same for every try of this step."""
        return f"{self.execution_id}/{self.step_id}"


def run_node(call: StepCall) -> Outcome:
    """Run a node. Raises StepError: its own, or MISSING_VALUE, INVALID_DATA and the like."""
    kind = NODE_TYPES[call.node.type]
    renderer = Renderer(call.scope)
    try:
        outcome = kind.run(_context(kind, call, renderer, resolve_data(kind, call.node, renderer)))
    except TemplateError as error:
        raise StepError(error.code, error.message) from error
    except StepError as error:
        raise _redacted(error, renderer) from error
    return _hidden(outcome, renderer)


def finish_node(call: StepCall, answer: Mapping[str, Any]) -> Done:
    """Complete a step that waited, with what it waited for. Raises StepError."""
    kind = NODE_TYPES[call.node.type]
    renderer = Renderer(call.scope)
    data = kind.data_model.model_validate(dict(call.node.data))
    try:
        return kind.finish(_context(kind, call, renderer, data), answer)
    except StepError as error:
        raise _redacted(error, renderer) from error


def resolve_data(kind: NodeType[Any], node: Node, renderer: Renderer) -> NodeData:
    """The node's data with templates filled and checked. Raises StepError INVALID_DATA."""
    filled = {
        key: value if key in kind.lazy else renderer.render(value)
        for key, value in node.data.items()
        if key in kind.data_model.model_fields
    }
    try:
        data: NodeData = kind.data_model.model_validate(filled, context=RESOLVED)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise StepError("INVALID_DATA", f"data.{place}: {first['msg']}") from error
    problems = kind.check(data)
    if problems:
        raise StepError("INVALID_DATA", f"data.{problems[0][0]}: {problems[0][1]}")
    return data


def _context(
    kind: NodeType[Any], call: StepCall, renderer: Renderer, data: NodeData
) -> NodeContext[Any]:
    return NodeContext(
        data=data,
        step_id=call.step_id,
        node_id=call.node.id,
        execution_id=call.execution_id,
        effect_key=call.effect_key,
        attempt=call.attempt,
        renderer=renderer,
        ports=call.ports,
        now=call.now,
        task_token=call.task_token,
    )


def _hidden(outcome: Outcome, renderer: Renderer) -> Outcome:
    if isinstance(outcome, Done) and renderer.secrets:
        return replace(outcome, output=redact(outcome.output, renderer.secrets))
    return outcome


def _redacted(error: StepError, renderer: Renderer) -> StepError:
    message = redact(error.message, renderer.secrets)
    return StepError(error.code, message, retryable=error.retryable)
