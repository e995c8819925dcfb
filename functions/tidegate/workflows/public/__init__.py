"""What other domains may use of workflows; `public.drafts` is for routes (it imports FastAPI)."""

from __future__ import annotations

from dataclasses import dataclass

from tidegate_kit.clients import platform_client
from tidegate_kit.settings import settings_of
from tidegate_kit.tenancy import TenantScope

from tidegate.workflows.repository.blobs import S3Blobs
from tidegate.workflows.repository.executions import DynamoExecutions
from tidegate.workflows.repository.ledger import DynamoLedger
from tidegate.workflows.repository.workflows import DynamoWorkflows
from tidegate.workflows.service.definitions import Definitions
from tidegate.workflows.settings import WorkflowDataSettings

__all__ = ["ExecutionProgress", "WorkflowDataSettings", "execution_progress"]

_SETTLED = frozenset({"completed", "failed", "skipped", "cancelled"})
_FINAL = frozenset({"completed", "failed", "cancelled", "timed_out"})


@dataclass(frozen=True)
class ExecutionProgress:
    """Where an execution is; `progress` 0..100, 100 exactly at a final status (RT-4)."""

    execution_id: str
    workflow_id: str
    status: str
    current_step: str | None
    progress: int

    @property
    def is_final(self) -> bool:
        """True when nothing more will happen."""
        return self.status in _FINAL


def execution_progress(scope: TenantScope, execution_id: str) -> ExecutionProgress | None:
    """The execution as stored now: settled nodes of all nodes. None where there is none."""
    execution = DynamoExecutions(scope).find(execution_id)
    if execution is None:
        return None
    steps = DynamoLedger(scope).steps(execution_id)
    settled = {step.node_id for step in steps if step.status in _SETTLED}
    running = [step for step in steps if step.status not in _SETTLED]
    percent = 100
    if execution.status not in _FINAL:
        nodes = _node_count(scope, execution.workflow_id, execution.workflow_version)
        percent = min(99, 100 * len(settled) // max(nodes, 1))
    current = running[-1].step_id if running and execution.status not in _FINAL else None
    return ExecutionProgress(
        execution.id, execution.workflow_id, execution.status, current, percent
    )


def _node_count(scope: TenantScope, workflow_id: str, version: int) -> int:
    settings = settings_of(WorkflowDataSettings)
    blobs = S3Blobs(scope, platform_client("s3", settings.aws_region), settings.data_bucket)
    loaded = Definitions(scope.tenant_id, DynamoWorkflows(scope), blobs).load(workflow_id, version)
    return len(loaded.raw.get("nodes", []))
