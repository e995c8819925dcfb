"""Errors of the workflows domain (contract 2.5)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tidegate_kit.errors import Conflict, Detail, Forbidden, Unprocessable

from tidegate.workflows.graph import Issue

_MAX_DETAILS = 1000


class VersionConflict(Conflict):
    code = "VERSION_CONFLICT"
    message = "The workflow was changed meanwhile. Read it and try again."


class WorkflowInactive(Conflict):
    code = "WORKFLOW_INACTIVE"
    message = "The workflow is not active. Activate it to run it."


class ConcurrencyLimit(Conflict):
    code = "CONCURRENCY_LIMIT"
    message = "As many executions of this workflow run as its settings allow."


class ExecutionFinished(Conflict):
    code = "EXECUTION_FINISHED"
    message = "The execution has ended."


class NotResumable(Conflict):
    code = "NOT_RESUMABLE"
    message = "Only a failed, cancelled or timed-out execution can be resumed, and only once."


class ConfirmationRequired(Conflict):
    code = "CONFIRMATION_REQUIRED"
    message = "Steps with effects would run again. Name them in confirm_rerun to agree."

    def __init__(self, node_ids: Sequence[str]) -> None:
        super().__init__(
            details=[Detail(node, "has an effect that would happen again") for node in node_ids]
        )


class DefinitionInvalid(Unprocessable):
    message = "The definition has problems; an active workflow is saved without any."

    def __init__(self, issues: Iterable[Issue]) -> None:
        super().__init__(details=issue_details(issues))


class MissingInput(Unprocessable):
    code = "MISSING_INPUT"
    message = "Input that the workflow uses is missing. Nothing was started."

    def __init__(self, paths: Iterable[str]) -> None:
        super().__init__(details=[Detail(f"input_data.{path}", "is required") for path in paths])


class InputInvalid(Unprocessable):
    message = "The input does not fit the workflow's input schema. Nothing was started."

    def __init__(self, problems: Iterable[tuple[str, str]]) -> None:
        super().__init__(
            details=[Detail(f"input_data.{path}", message) for path, message in problems]
        )


class WorkflowExecutionFailed(Unprocessable):
    code = "WORKFLOW_EXECUTION_FAILED"
    message = "The execution ended without completing."

    def __init__(self, execution_id: str, status: str, node: str | None, problem: str) -> None:
        details = [Detail("execution_id", execution_id), Detail("status", status)]
        if node:
            details.append(Detail(node, problem or "failed"))
        super().__init__(details=details)


class ImportInvalid(Unprocessable):
    code = "IMPORT_INVALID"
    message = "The file cannot be imported."


class WebhookIdReused(Unprocessable):
    code = "IDEMPOTENCY_KEY_REUSED"
    message = "This webhook-id was used with another body."


class ScheduleInvalid(Unprocessable):
    message = "The schedule cannot be kept."


class ApprovalClosed(Conflict):
    code = "APPROVAL_CLOSED"
    message = "The approval is no longer open."


class AlreadyDecided(Conflict):
    code = "ALREADY_DECIDED"
    message = "You have already voted on this approval."


class SelfApproval(Forbidden):
    code = "SELF_APPROVAL"
    message = "Nobody may decide on his own request."


class SubjectChanged(Conflict):
    code = "SUBJECT_CHANGED"
    message = "What is to be approved has changed. Read the approval again."


def issue_details(issues: Iterable[Issue]) -> list[Detail]:
    """One detail per issue: the field names the node or edge, else the path (WF-1)."""
    return [
        Detail(issue.node_id or issue.edge_id or issue.path or "definition",
               f"{issue.code}: {issue.message}")
        for _, issue in zip(range(_MAX_DETAILS), issues, strict=False)
    ]  # fmt: skip
