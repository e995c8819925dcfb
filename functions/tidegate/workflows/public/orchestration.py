"""Running workflows of the platform for a user. Needs the settings of WorkflowDataSettings."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from tidegate_kit.clients import platform_client
from tidegate_kit.clock import Clock, system_clock
from tidegate_kit.ids import new_id
from tidegate_kit.settings import settings_of
from tidegate_kit.tenancy import TenantScope

from tidegate.workflows.domain import Workflow
from tidegate.workflows.repository.blobs import S3Blobs
from tidegate.workflows.repository.executions import DynamoExecutions
from tidegate.workflows.repository.ledger import DynamoLedger
from tidegate.workflows.repository.workflows import DynamoWorkflows
from tidegate.workflows.service.creating import ExecutionMaker, Start, Stores
from tidegate.workflows.service.definitions import Definitions
from tidegate.workflows.service.orchestration import Orchestrator, PlatformWorkflow, Run
from tidegate.workflows.service.workflows import WorkflowService
from tidegate.workflows.settings import WorkflowDataSettings

__all__ = ["PlatformWorkflow", "Run", "StartedRun", "start_run"]


@dataclass(frozen=True)
class StartedRun:
    """An execution as stored; it is launched by the table's stream."""

    execution_id: str
    workflow_id: str
    status: str
    started_at: datetime


def _permitted(wish: Start, workflow: Workflow) -> None:
    """See start_run."""


def start_run(
    scope: TenantScope, workflow: PlatformWorkflow, run: Run, clock: Clock = system_clock
) -> StartedRun:
    """Store an execution of a workflow of the platform, which is made at first use.

    The same `run.id` again gives the same execution. What it does is the caller's to ask policies
    about: it is not the tenant's workflow. Raises MissingInput, ServiceUnavailable.
    """
    settings: WorkflowDataSettings = settings_of(WorkflowDataSettings)
    workflows = DynamoWorkflows(scope)
    blobs = S3Blobs(scope, platform_client("s3", settings.aws_region), settings.data_bucket)
    definitions = Definitions(scope.tenant_id, workflows, blobs)
    stores = Stores(workflows, DynamoExecutions(scope), DynamoLedger(scope), blobs)
    maker = ExecutionMaker(stores, definitions, _permitted, clock)
    service = WorkflowService(workflows, definitions, run.principal, clock, new_id)
    made = Orchestrator(scope.tenant_id, workflows, service, maker.create).start(workflow, run)
    return StartedRun(made.id, made.workflow_id, made.status, made.started_at)
