"""What of a tenant's workflows lies outside the tables: executions, machines, schedules."""

from __future__ import annotations

from tidegate_kit.clock import Clock
from tidegate_kit.settings import settings_of
from tidegate_kit.tenancy import TenantScope

from tidegate.workflows import wiring
from tidegate.workflows.repository.erasure import workflow_ids
from tidegate.workflows.repository.executions import DynamoExecutions
from tidegate.workflows.settings import WorkflowsSettings


def forget_tenant(scope: TenantScope, clock: Clock) -> None:
    """Stop what runs, delete the state machines and the schedules; may be repeated.

    The rows are the caller's to delete, after this: they say what there is. Raises
    ServiceUnavailable.
    """
    machines = wiring.machines_of(settings_of(WorkflowsSettings))
    executions = DynamoExecutions(scope)
    for execution_id in executions.open_ids():
        found = executions.find(execution_id)
        if found is not None and found.machine_execution_arn is not None:
            machines.stop(found.machine_execution_arn, "TenantDeleted")
    service, _ = wiring.schedules_of(scope, clock)
    for workflow_id in workflow_ids(scope):
        service.forget(workflow_id)
        wiring.forget_machine(workflow_id)
