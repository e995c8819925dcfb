"""Checks of an execution's input before anything starts (WF-5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tidegate.workflows.graph import Definition
from tidegate.workflows.nodes.input_schema import InputProblem, apply_schema
from tidegate.workflows.templating import MISSING, Path, lookup


@dataclass(frozen=True, slots=True)
class PreparedInput:
    """The input with the schema's defaults; `missing` paths mean MISSING_INPUT."""

    data: dict[str, Any]
    missing: tuple[str, ...]
    invalid: tuple[InputProblem, ...]


def prepare_input(
    definition: Definition, required: Sequence[Path], input_data: Mapping[str, Any]
) -> PreparedInput:
    """Apply the start node's schema, then look for every required path."""
    schema: Mapping[str, Any] = next(
        (
            node.data["input_schema"]
            for node in definition.graph.nodes
            if node.type == "start" and node.data.get("input_schema") is not None
        ),
        {},
    )
    data, problems = apply_schema(schema, dict(input_data))
    missing = [problem.path for problem in problems if problem.kind == "missing"]
    for path in required:
        text = ".".join(path)
        if text not in missing and lookup(data, path) is MISSING:
            missing.append(text)
    invalid = tuple(problem for problem in problems if problem.kind == "invalid")
    return PreparedInput(data, tuple(missing), invalid)
