"""Builds the services of the workflows domain on this deployment. Knows nothing of HTTP."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, partial

from tidegate_kit.clients import kms_sealer, platform_client
from tidegate_kit.clock import Clock, system_clock
from tidegate_kit.dynamo import Store, configure_store
from tidegate_kit.errors import Detail, Unprocessable
from tidegate_kit.ids import new_id
from tidegate_kit.observability import identify
from tidegate_kit.outbound import OutboundRefused
from tidegate_kit.settings import settings_of
from tidegate_kit.tenancy import TenantScope

from tidegate.identity.public import member
from tidegate.workflows.domain import StepProblem
from tidegate.workflows.ports.build import PortParts, outbound_client, ports_of
from tidegate.workflows.ports.names import names_of
from tidegate.workflows.ports.policy import StartPolicy, StepPolicy
from tidegate.workflows.ports.secrets import tenant_secret
from tidegate.workflows.repository.approvals import ApprovalStore, DynamoApprovals
from tidegate.workflows.repository.blobs import Blobs, S3Blobs
from tidegate.workflows.repository.executions import DynamoExecutions, Executions
from tidegate.workflows.repository.ledger import DynamoLedger, Ledger
from tidegate.workflows.repository.logs import DynamoLogs, Logs
from tidegate.workflows.repository.triggers import DynamoTriggers, Triggers
from tidegate.workflows.repository.workflows import DynamoWorkflows, Workflows
from tidegate.workflows.service.approvals import ApprovalService, Voter
from tidegate.workflows.service.definitions import Definitions
from tidegate.workflows.service.executions import ExecutionService, Stores
from tidegate.workflows.service.gates import Gates
from tidegate.workflows.service.hooks import HookParts, HookService
from tidegate.workflows.service.imports import Imports
from tidegate.workflows.service.machines import Machines, StepFunctions
from tidegate.workflows.service.outcome import Outcomes
from tidegate.workflows.service.pictures import Pictures
from tidegate.workflows.service.publish import MachineTarget, Publisher
from tidegate.workflows.service.rehearsals import Rehearsals
from tidegate.workflows.service.resume import Resumes
from tidegate.workflows.service.schedules import (
    EventBridgeScheduler,
    ScheduleService,
    ScheduleTarget,
)
from tidegate.workflows.service.steps import Steps, Tools
from tidegate.workflows.service.workflows import WorkflowService
from tidegate.workflows.settings import TriggerSettings, WorkflowsSettings


@dataclass(frozen=True)
class Repositories:
    """What one tenant's services store."""

    workflows: Workflows
    executions: Executions
    ledger: Ledger
    logs: Logs
    approvals: ApprovalStore
    blobs: Blobs


@dataclass(frozen=True)
class Services:
    """The services of one tenant, acting for one user."""

    repositories: Repositories
    definitions: Definitions
    workflows: WorkflowService
    executions: ExecutionService
    steps: Steps
    approvals: ApprovalService
    pictures: Pictures
    rehearsals: Rehearsals
    imports: Imports
    resumes: Resumes


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
        DynamoApprovals(scope),
        S3Blobs(scope, platform_client("s3", settings.aws_region), settings.data_bucket),
    )


def machines_of(settings: WorkflowsSettings) -> Machines:
    """Step Functions."""
    return StepFunctions(
        platform_client("stepfunctions", settings.aws_region),
        settings.workflow_machine_role_arn,
        settings.machine_arn_prefix,
    )


@dataclass(frozen=True)
class _Shared:
    """What several services of one tenant are made of."""

    settings: WorkflowsSettings
    scope: TenantScope
    stored: Repositories
    machines: Machines
    definitions: Definitions
    outcomes: Outcomes
    clock: Clock


def services_of(scope: TenantScope, user_id: str, clock: Clock = system_clock) -> Services:
    """The services of a tenant, acting for a user."""
    settings = settings_of(WorkflowsSettings)
    stored = repositories_of(settings, scope)
    machines = machines_of(settings)
    definitions = Definitions(
        scope.tenant_id, stored.workflows, stored.blobs, partial(names_of, scope, user_id)
    )
    outcomes = Outcomes(stored.executions, stored.ledger, stored.blobs, clock, new_id)
    shared = _Shared(settings, scope, stored, machines, definitions, outcomes, clock)
    executions, resumes = _executions_of(shared)
    steps = _steps_of(shared, executions)
    workflows = WorkflowService(stored.workflows, definitions, user_id, clock, new_id)
    return Services(
        stored,
        definitions,
        workflows,
        executions,
        steps,
        ApprovalService(
            stored.approvals,
            steps,
            machines,
            partial(_voter, scope),
            partial(_is_over, stored.executions),
            clock,
        ),
        Pictures(
            stored.workflows, stored.executions, stored.ledger, definitions, settings.partition
        ),
        Rehearsals(stored.workflows, definitions, clock),
        Imports(workflows, definitions),
        resumes,
    )


def _executions_of(shared: _Shared) -> tuple[ExecutionService, Resumes]:
    settings, stored, definitions = shared.settings, shared.stored, shared.definitions
    target = MachineTarget(
        settings.workflow_step_function_arn, settings.partition, settings.machine_name_prefix
    )
    resumes = Resumes(
        stored.workflows,
        stored.executions,
        stored.ledger,
        stored.blobs,
        definitions,
        lambda: executions,
    )
    executions = ExecutionService(
        shared.scope.tenant_id,
        Stores(stored.workflows, stored.executions, stored.ledger, stored.blobs),
        definitions,
        Publisher(stored.workflows, definitions, shared.machines, target),
        shared.machines,
        shared.outcomes,
        shared.clock,
        new_id,
        StartPolicy(shared.scope, shared.clock).permit,
        resumes.prepare,
    )
    return executions, resumes


def _steps_of(shared: _Shared, executions: ExecutionService) -> Steps:
    scope, stored, clock = shared.scope, shared.stored, shared.clock
    parts = PortParts(
        settings=shared.settings,
        scope=scope,
        ledger=stored.ledger,
        executions=stored.executions,
        approvals=stored.approvals,
        logs=stored.logs,
        blobs=stored.blobs,
        start_child=executions.start_child,
        decide=StepPolicy(scope, shared.definitions, stored.ledger, clock).decide,
        clock=clock,
        ids=new_id,
    )
    return Steps(
        Tools(
            ledger=stored.ledger,
            blobs=stored.blobs,
            definitions=shared.definitions,
            outcomes=shared.outcomes,
            gates=Gates(stored.ledger, shared.machines),
            ports=partial(ports_of, parts),
            secret=partial(tenant_secret, scope),
            child=lambda execution_id: _problem_of(stored.executions, execution_id),
            clock=clock,
            ids=new_id,
        )
    )


def check_webhook_url(url: str | None) -> None:
    """Refuse an address that no webhook may go to (INT-7). Raises Unprocessable."""
    if url is None:
        return
    try:
        outbound_client(settings_of(WorkflowsSettings)).check(url, allow_local=True)
    except OutboundRefused as refused:
        raise Unprocessable(details=[Detail("webhook_url", refused.reason)]) from refused


def forget_machine(workflow_id: str) -> None:
    """Delete the state machine of a deleted workflow; what runs on it goes on to its end (E14)."""
    settings: WorkflowsSettings = settings_of(WorkflowsSettings)
    machines_of(settings).delete(f"{settings.machine_name_prefix}{workflow_id}")


def hook_parts(scope: TenantScope, clock: Clock = system_clock) -> HookParts:
    """What makes and answers a tenant's hooks."""
    settings = settings_of(WorkflowsSettings)
    triggers = DynamoTriggers(scope)
    service = HookService(scope.tenant_id, triggers, kms_sealer(settings), clock, new_id)
    return HookParts(service, triggers, services_of(scope, "system", clock).executions)


def schedules_of(
    scope: TenantScope, clock: Clock = system_clock
) -> tuple[ScheduleService, Triggers]:
    """What keeps and runs a tenant's schedules."""
    settings = settings_of(TriggerSettings)
    target = ScheduleTarget(
        settings.workflow_schedule_group,
        settings.workflow_schedule_function_arn,
        settings.workflow_schedule_role_arn,
    )
    client = platform_client("scheduler", settings.aws_region)
    triggers = DynamoTriggers(scope)
    service = ScheduleService(
        scope.tenant_id,
        triggers,
        EventBridgeScheduler(client, target),
        lambda: services_of(scope, "system", clock).executions,
        clock,
    )
    return service, triggers


def _problem_of(executions: Executions, execution_id: str) -> StepProblem | None:
    found = executions.find(execution_id)
    if found is None or found.status == "completed":
        return None
    return found.error or StepProblem("SUBWORKFLOW_FAILED", f"It ended as {found.status}.")


def _is_over(executions: Executions, execution_id: str) -> bool:
    found = executions.find(execution_id)
    return found is None or found.ended


def _voter(scope: TenantScope, user_id: str) -> Voter | None:
    found = member(scope, user_id)
    if found is None:
        return None
    return Voter(found.id, found.email, found.roles, found.is_owner, found.is_active)
