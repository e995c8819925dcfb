"""What ended executions came to, for whoever tells of it (WF-13)."""

from __future__ import annotations

from typing import Any

from tidegate_kit.clients import platform_client
from tidegate_kit.clock import iso
from tidegate_kit.settings import settings_of
from tidegate_kit.tenancy import TenantScope

from tidegate.workflows.domain import Execution
from tidegate.workflows.repository.blobs import S3Blobs
from tidegate.workflows.repository.executions import DynamoExecutions
from tidegate.workflows.service.outcome import place_of_execution
from tidegate.workflows.settings import WorkflowDataSettings

MAX_OUTPUT_OCTETS = 900 * 1024  # what fits, with the rest of a message, into 1 MiB


def webhook_url(scope: TenantScope, execution_id: str) -> str | None:
    """The address that was given at the execution's start; None where there is none."""
    execution = DynamoExecutions(scope).find(execution_id)
    return None if execution is None else execution.webhook_url


def execution_outcome(scope: TenantScope, execution_id: str) -> dict[str, Any] | None:
    """The data of `workflow.execution.<status>`: {execution_id, workflow_id, workflow_version,
    status, started_at, completed_at, duration (s), output_data, error {code, message, step_id}}.

    An output beyond 900 KiB of JSON is left out: output_data is null and `output_truncated` true.
    None where there is no such execution. Raises BlobBroken, ServiceUnavailable.
    """
    execution = DynamoExecutions(scope).find(execution_id)
    if execution is None:
        return None
    problem = execution.error
    ended = execution.completed_at
    data: dict[str, Any] = {
        "execution_id": execution.id,
        "workflow_id": execution.workflow_id,
        "workflow_version": execution.workflow_version,
        "status": execution.status,
        "started_at": iso(execution.started_at),
        "completed_at": None if ended is None else iso(ended),
        "duration": execution.duration,
        "output_data": None,
        "error": None if problem is None else problem.as_dict(),
    }
    if execution.output is not None and execution.output.size > MAX_OUTPUT_OCTETS:
        return {**data, "output_truncated": True}
    return {**data, "output_data": _output(scope, execution)}


def _output(scope: TenantScope, execution: Execution) -> Any:
    if execution.output is None:
        return None
    settings = settings_of(WorkflowDataSettings)
    blobs = S3Blobs(scope, platform_client("s3", settings.aws_region), settings.data_bucket)
    return blobs.get(place_of_execution(execution.id), execution.output)
