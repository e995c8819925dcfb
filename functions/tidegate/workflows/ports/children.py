"""Child executions of subworkflow nodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tidegate_kit.errors import ApiError, NotFound

from tidegate.workflows.domain import MAX_DEPTH, Execution
from tidegate.workflows.identifiers import id_from
from tidegate.workflows.nodes import StepError
from tidegate.workflows.nodes.ports import SubworkflowStart
from tidegate.workflows.repository.blobs import Blobs
from tidegate.workflows.repository.executions import Executions
from tidegate.workflows.service.outcome import place_of_execution

# Stores a child and gives (machine version ARN, execution name); starts it when asked to.
StartChild = Callable[[Execution, str, str, int | None, Mapping[str, Any], bool], tuple[str, str]]


class StepChildren:
    """Subworkflows port of one step."""

    def __init__(
        self, execution: Execution, executions: Executions, blobs: Blobs, start: StartChild
    ) -> None:
        self._execution = execution
        self._executions = executions
        self._blobs = blobs
        self._start = start

    def start(
        self,
        workflow_id: str,
        version: int | None,
        input_data: Mapping[str, Any],
        *,
        wait: bool,
        effect_key: str,
    ) -> SubworkflowStart:
        """Create the child under an id made from the effect key, so that a retry finds it."""
        if self._execution.depth >= MAX_DEPTH:
            raise StepError("LIMIT_EXCEEDED", f"Sub-workflows nest at most {MAX_DEPTH} deep.")
        child_id = id_from(f"child/{effect_key}")
        try:
            machine_arn, name = self._start(
                self._execution, child_id, workflow_id, version, input_data, wait
            )
        except NotFound as error:
            raise StepError("UNKNOWN_WORKFLOW", "The called workflow is gone.") from error
        except ApiError as error:
            raise StepError(error.code, error.message, retryable=error.status >= 500) from error
        return SubworkflowStart(child_id, machine_arn, name)

    def result(self, execution_id: str) -> dict[str, Any]:
        """The output of a completed child."""
        child = self._executions.find(execution_id)
        if child is None or child.parent != self._execution.id:
            raise StepError("DATA_BROKEN", "The child execution is gone.")
        if child.status != "completed":
            problem = child.error
            code = "SUBWORKFLOW_FAILED" if problem is None else problem.code
            text = f"The sub-workflow ended as {child.status}."
            raise StepError(code, text if problem is None else problem.message)
        if child.output is None:
            return {}
        output: dict[str, Any] = self._blobs.get(place_of_execution(child.id), child.output)
        return output
