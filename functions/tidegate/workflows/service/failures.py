"""Why a step failed that the machine gave up: from the error's name and the ledger."""

from __future__ import annotations

from collections.abc import Callable

from tidegate.workflows.domain import Step, StepProblem
from tidegate.workflows.repository.ledger import Ledger
from tidegate.workflows.service.loops import item_error, item_steps
from tidegate.workflows.service.sight import Sight

_TIMEOUTS = frozenset({"States.Timeout", "Sandbox.Timedout"})
_OWN = frozenset({"StepRetryable", "StepFailed"})


def problem_after(
    error_name: str,
    sight: Sight,
    step: Step,
    ledger: Ledger,
    child: Callable[[str], StepProblem | None],
) -> StepProblem:
    """The problem of a step whose state ended with this error. Shows no text of the platform."""
    if error_name in _TIMEOUTS:
        return _timeout(sight, step)
    if step.type == "foreach" and step.items is not None:
        for steps in item_steps(ledger, sight, step).values():
            ended = item_error(steps)
            if ended is not None and ended.error is not None:
                return StepProblem(ended.error.code, ended.error.message, step.step_id)
    if step.child_id is not None:
        problem = child(step.child_id)
        if problem is not None:
            return StepProblem(problem.code, problem.message, step.step_id)
    if error_name in _OWN and step.error is not None:
        return step.error
    text = "The platform could not finish the step."
    return StepProblem("STEP_INTERRUPTED", text, step.step_id)


def _timeout(sight: Sight, step: Step) -> StepProblem:
    if step.type == "approval":
        return StepProblem("APPROVAL_EXPIRED", "Nobody decided in time.", step.step_id)
    seconds = sight.place.node.data.get("timeout_seconds", 300)
    text = f"The step took more than {seconds} s."
    return StepProblem("TIMEOUT", text, step.step_id)
