"""Checks of subworkflows: the called workflow exists, nothing calls itself, depth is bounded."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from tidegate.workflows.graph import IssueLog
from tidegate.workflows.nodes.subworkflow import MAX_DEPTH
from tidegate.workflows.validation.context import ValidationContext

_MAX_VISITED = 1000


def check_calls(
    calls: list[tuple[str, str, str]], context: ValidationContext, errors: IssueLog
) -> None:
    """Log SUBWORKFLOW_CYCLE, UNKNOWN_REFERENCE and LIMIT_EXCEEDED of every call."""
    if context.callees is None:
        return
    for node_id, path, called in calls:
        if "{{" in called:
            continue
        code, message = _problem(called, context.workflow_id, context.callees)
        if code:
            errors.add(code, message, path, node_id=node_id)


def _problem(
    called: str, workflow_id: str | None, callees_of: Callable[[str], Iterable[str] | None]
) -> tuple[str, str]:
    level = [called]
    seen: set[str] = set()
    for depth in range(MAX_DEPTH + 1):
        below: list[str] = []
        for one in level:
            if one == workflow_id:
                return "SUBWORKFLOW_CYCLE", "The called workflow leads back to this one."
            if one in seen or len(seen) > _MAX_VISITED:
                continue
            seen.add(one)
            callees = callees_of(one)
            if callees is None:
                if depth == 0:
                    return "UNKNOWN_REFERENCE", "There is no such workflow."
                continue
            below.extend(callees)
        if not below:
            return "", ""
        level = below
    return "LIMIT_EXCEEDED", f"Subworkflows nest at most {MAX_DEPTH} deep."
