"""The end of a foreach: one result per item, and the errors."""

from __future__ import annotations

from typing import Any

from tidegate.workflows.domain import Step
from tidegate.workflows.graph import parse_step_id
from tidegate.workflows.interpreter import loop_answer, merge_output
from tidegate.workflows.nodes import StepError
from tidegate.workflows.repository.blobs import Blobs
from tidegate.workflows.repository.ledger import Ledger
from tidegate.workflows.service.sight import Sight


def item_steps(ledger: Ledger, sight: Sight, loop: Step) -> dict[int, list[Step]]:
    """The steps of each item's own graph, by position; deeper loops' steps are left out."""
    depth = len(sight.place.step.positions) + 1
    found: dict[int, list[Step]] = {}
    for step in ledger.steps(sight.execution.id, f"{loop.step_id}["):
        positions = parse_step_id(step.step_id).positions
        if len(positions) == depth:
            found.setdefault(positions[-1], []).append(step)
    return found


def item_error(steps: list[Step]) -> Step | None:
    """The step that ended an item: the first that failed without an error edge."""
    failed = [step for step in steps if step.status == "failed" and step.route is None]
    return min(failed, key=lambda step: step.completed_at or step.started_at, default=None)


def loop_result(ledger: Ledger, blobs: Blobs, sight: Sight, loop: Step) -> dict[str, Any]:
    """{results, errors} of all items. Raises StepError when stored data is broken."""
    if loop.items is None:
        raise StepError("DATA_BROKEN", "The loop's items are missing.")
    step = sight.place.step
    scope = f"{step.scope}/{step.node_id}" if step.scope else step.node_id
    flow = sight.program.flow(scope)
    by_item = item_steps(ledger, sight, loop)
    results: list[Any] = []
    errors: dict[int, StepError] = {}
    for index in range(len(sight.load(loop.items))):
        steps = by_item.get(index, [])
        ended = item_error(steps)
        if ended is not None and ended.error is not None:
            errors[index] = StepError(ended.error.code, ended.error.message)
            results.append(None)
            continue
        outputs = {one.node_id: sight.data(one) for one in steps if one.status == "completed"}
        results.append(merge_output(flow, outputs))
    return loop_answer(results, errors)
