"""Builds the services of the workflows domain on this deployment. Knows nothing of HTTP."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from tidegate_kit.clients import platform_client
from tidegate_kit.clock import Clock, system_clock
from tidegate_kit.dynamo import Store, configure_store
from tidegate_kit.ids import new_id
from tidegate_kit.observability import identify
from tidegate_kit.settings import settings_of
from tidegate_kit.tenancy import TenantScope

from tidegate.workflows.nodes import Ports
from tidegate.workflows.repository.blobs import Blobs, S3Blobs
from tidegate.workflows.repository.executions import DynamoExecutions, Executions
from tidegate.workflows.repository.ledger import DynamoLedger, Ledger
from tidegate.workflows.repository.logs import DynamoLogs, Logs
from tidegate.workflows.repository.workflows import DynamoWorkflows, Workflows
from tidegate.workflows.service.definitions import Definitions
from tidegate.workflows.service.executions import ExecutionService, Stores
from tidegate.workflows.service.gates import Gates
from tidegate.workflows.service.imports import Imports
from tidegate.workflows.service.machines import Machines, StepFunctions
from tidegate.workflows.service.outcome import Outcomes
from tidegate.workflows.service.pictures import Pictures
from tidegate.workflows.service.publish import MachineTarget, Publisher
from tidegate.workflows.service.rehearsals import Rehearsals
from tidegate.workflows.service.steps import Steps, Tools
from tidegate.workflows.service.workflows import WorkflowService
from tidegate.workflows.settings import WorkflowsSettings
from tidegate.workflows.templating import TemplateError


@dataclass(frozen=True)
class Repositories:
    """What one tenant's services store."""

    workflows: Workflows
    executions: Executions
    ledger: Ledger
    logs: Logs
    blobs: Blobs


@dataclass(frozen=True)
class Services:
    """The services of one tenant, acting for one user."""

    repositories: Repositories
    definitions: Definitions
    workflows: WorkflowService
    executions: ExecutionService
    steps: Steps
    pictures: Pictures
    rehearsals: Rehearsals
    imports: Imports


def start_task() -> WorkflowsSettings:
    """What a function without HTTP needs before its first read; once per process."""
    settings: WorkflowsSettings = settings_of(WorkflowsSettings)
    _configure(settings)
    return settings


@cache
def _configure(settings: WorkflowsSettings) -> None:
    configure_store(Store(settings.table_prefix, settings.aws_region))
    identify(settings, "workflows")


def repositories_of(settings: WorkflowsSettings, scope: TenantScope) -> Repositories:
    """The tables and the bucket."""
    return Repositories(
        DynamoWorkflows(scope),
        DynamoExecutions(scope),
        DynamoLedger(scope),
        DynamoLogs(scope),
        S3Blobs(scope, platform_client("s3", settings.aws_region), settings.data_bucket),
    )


def machines_of(settings: WorkflowsSettings) -> Machines:
    """Step Functions."""
    return StepFunctions(
        platform_client("stepfunctions", settings.aws_region),
        settings.workflow_machine_role_arn,
        settings.machine_arn_prefix,
    )


def services_of(scope: TenantScope, user_id: str, clock: Clock = system_clock) -> Services:
    """The services of a tenant, acting for a user."""
    settings = settings_of(WorkflowsSettings)
    stored = repositories_of(settings, scope)
    machines = machines_of(settings)
    definitions = Definitions(scope.tenant_id, stored.workflows, stored.blobs)
    outcomes = Outcomes(stored.executions, stored.ledger, stored.blobs, clock, new_id)
    target = MachineTarget(
        settings.workflow_step_function_arn, settings.partition, settings.machine_name_prefix
    )
    executions = ExecutionService(
        scope.tenant_id,
        Stores(stored.workflows, stored.executions, stored.ledger, stored.blobs),
        definitions,
        Publisher(stored.workflows, definitions, machines, target),
        machines,
        outcomes,
        clock,
        new_id,
    )
    tools = Tools(
        ledger=stored.ledger,
        blobs=stored.blobs,
        definitions=definitions,
        outcomes=outcomes,
        gates=Gates(stored.ledger, machines),
        ports=lambda execution, step_id, secrets: Ports(),
        secret=_no_secret,
        child=lambda execution_id: None,
        clock=clock,
        ids=new_id,
    )
    workflows = WorkflowService(stored.workflows, definitions, user_id, clock, new_id)
    return Services(
        stored,
        definitions,
        workflows,
        executions,
        Steps(tools),
        Pictures(
            stored.workflows, stored.executions, stored.ledger, definitions, settings.partition
        ),
        Rehearsals(stored.workflows, definitions, clock),
        Imports(workflows, definitions),
    )


def _no_secret(name: str) -> str:
    raise TemplateError(f"There is no secret '{name}'.", "UNKNOWN_REFERENCE")
