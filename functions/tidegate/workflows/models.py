"""PynamoDB models of the `workflows` table.

    pk                   sk                        kind                gsi1pk, gsi1sk
    T#<t>                WF#<workflow>             WorkflowItem        T#<t>#WF, <created>#<id>
    T#<t>                WFCOUNT                   WorkflowCountItem
    T#<t>#W#<workflow>   V#<version, 8 digits>     VersionItem
    T#<t>#W#<workflow>   HOOK#<hook>               HookItem
    T#<t>#W#<workflow>   SCHEDULE                  ScheduleItem
    T#<t>                EX#<execution>            ExecutionItem
    T#<t>#X              <started>#<execution>     ExecutionListingItem  T#<t>#W#<workflow>, same
    T#<t>#OPEN           <workflow>#R#<execution>  OpenItem (R running, Q#<started> queued)
    T#<t>#E#<execution>  STEP#<step>               StepItem
    T#<t>#E#<execution>  EFFECT#<step>             EffectItem
    T#<t>#E#<execution>  GATE#<step>               GateItem
    T#<t>                LOG#<log>                 LogItem             T#<t>#L, <time>#<id>
    T#<t>                APPROVAL#<approval>       ApprovalItem        T#<t>#APPROVALS, <time>#<id>
    HOOK#<hook>          KEY                       HookPointerItem (global)
    HOOK#<hook>          SEEN#<webhook-id hash>    SeenWebhookItem (global, TTL)

Times inside keys are ISO 8601 with six digits of microseconds, so that text order is time order.
"""

from __future__ import annotations

from pynamodb.attributes import (
    BooleanAttribute,
    JSONAttribute,
    NumberAttribute,
    UnicodeAttribute,
    UTCDateTimeAttribute,
)
from tidegate_kit.dynamo import Table
from tidegate_kit.table_index import Gsi1, SparselyIndexed


class WorkflowsTable(Table):
    """Every item of the table."""

    class Meta:
        table_name = "workflows"


class WorkflowItem(SparselyIndexed, WorkflowsTable):
    """A workflow with its counters; `search` is name and description in lower case."""

    # A tenant's workflows by creation.
    by_time: Gsi1[WorkflowItem] = Gsi1()
    id = UnicodeAttribute()
    name = UnicodeAttribute()
    description = UnicodeAttribute()
    search = UnicodeAttribute()
    is_active = BooleanAttribute()
    created_by = UnicodeAttribute()
    template_id = UnicodeAttribute(null=True)
    settings = JSONAttribute()
    version = NumberAttribute()
    revision = NumberAttribute(default=1)
    callees = JSONAttribute()
    active = NumberAttribute(default=0)
    queued = NumberAttribute(default=0)
    successful = NumberAttribute(default=0)
    failed = NumberAttribute(default=0)
    ended_micros = NumberAttribute(default=0)
    last_execution = UTCDateTimeAttribute(null=True)


class WorkflowCountItem(WorkflowsTable):
    """How many workflows a tenant has, by state."""

    on = NumberAttribute(default=0)
    off = NumberAttribute(default=0)


class VersionItem(WorkflowsTable):
    """An immutable version; only the ARN of its published state machine is added later."""

    workflow_id = UnicodeAttribute()
    version = NumberAttribute()
    created_by = UnicodeAttribute()
    content_hash = UnicodeAttribute()
    definition = JSONAttribute()
    valid = BooleanAttribute()
    issues = JSONAttribute()
    required_inputs = JSONAttribute()
    callees = JSONAttribute()
    machine_version_arn = UnicodeAttribute(null=True)
    plan = JSONAttribute(null=True)


class HookItem(WorkflowsTable):
    """An inbound hook; its secret is sealed."""

    hook_id = UnicodeAttribute()
    workflow_id = UnicodeAttribute()
    name = UnicodeAttribute(null=True)
    enabled = BooleanAttribute()
    created_by = UnicodeAttribute()
    sealed_secret = UnicodeAttribute()
    sealed_previous = UnicodeAttribute(null=True)
    rotated_at = UTCDateTimeAttribute(null=True)


class HookPointerItem(WorkflowsTable):
    """Global: which tenant and workflow a hook id belongs to."""

    tenant_id = UnicodeAttribute()
    workflow_id = UnicodeAttribute()


class SeenWebhookItem(WorkflowsTable):
    """Global: a webhook-id that a hook has taken, and the execution that it started."""

    body_hash = UnicodeAttribute()
    execution_id = UnicodeAttribute()
    expires = NumberAttribute()


class ScheduleItem(WorkflowsTable):
    """A workflow's schedule and its owner, who answers for the runs (WF-16)."""

    tenant_id = UnicodeAttribute()
    workflow_id = UnicodeAttribute()
    expression = UnicodeAttribute()
    time_zone = UnicodeAttribute()
    input_data = JSONAttribute()
    enabled = BooleanAttribute()
    start_at = UTCDateTimeAttribute(null=True)
    end_at = UTCDateTimeAttribute(null=True)
    on_overlap = UnicodeAttribute()
    owner = UnicodeAttribute()
    revision = NumberAttribute()


class ExecutionItem(WorkflowsTable):
    """One execution. `kind` and `tenant_id` serve readers of the stream."""

    kind = UnicodeAttribute(default="execution")
    tenant_id = UnicodeAttribute()
    id = UnicodeAttribute()
    workflow_id = UnicodeAttribute()
    workflow_version = NumberAttribute()
    status = UnicodeAttribute()
    trigger = UnicodeAttribute()
    principal = UnicodeAttribute()
    started_at = UTCDateTimeAttribute()
    completed_at = UTCDateTimeAttribute(null=True)
    input = JSONAttribute()
    trigger_data = JSONAttribute(null=True)
    output = JSONAttribute(null=True)
    error = JSONAttribute(null=True)
    timeout_seconds = NumberAttribute()
    resumed_from = UnicodeAttribute(null=True)
    webhook_url = UnicodeAttribute(null=True)
    request_id = UnicodeAttribute(null=True)
    depth = NumberAttribute(default=0)
    parent = UnicodeAttribute(null=True)
    parked = NumberAttribute(default=0)
    machine_execution_arn = UnicodeAttribute(null=True)
    launched_at = UTCDateTimeAttribute(null=True)
    resumed_by = UnicodeAttribute(null=True)
    expires = NumberAttribute()


class ExecutionListingItem(SparselyIndexed, WorkflowsTable):
    """The place of an execution in the lists; `status` follows the execution's."""

    # A workflow's executions by start.
    by_workflow: Gsi1[ExecutionListingItem] = Gsi1()
    execution_id = UnicodeAttribute()
    workflow_id = UnicodeAttribute()
    status = UnicodeAttribute()
    expires = NumberAttribute()


class OpenItem(WorkflowsTable):
    """An execution that has not ended; queued ones are in the order they came."""

    execution_id = UnicodeAttribute()
    workflow_id = UnicodeAttribute()
    started_at = UTCDateTimeAttribute()


class StepItem(WorkflowsTable):
    """One step of the ledger."""

    kind = UnicodeAttribute(default="step")
    execution_id = UnicodeAttribute()
    step_id = UnicodeAttribute()
    node_id = UnicodeAttribute()
    type = UnicodeAttribute()
    status = UnicodeAttribute()
    started_at = UTCDateTimeAttribute()
    completed_at = UTCDateTimeAttribute(null=True)
    attempts = NumberAttribute(default=1)
    route = UnicodeAttribute(null=True)
    output = JSONAttribute(null=True)
    items = JSONAttribute(null=True)
    error = JSONAttribute(null=True)
    reused = BooleanAttribute(default=False)
    content_hash = UnicodeAttribute(null=True)
    task_token = UnicodeAttribute(null=True)
    waits_until = UTCDateTimeAttribute(null=True)
    approval_id = UnicodeAttribute(null=True)
    child_id = UnicodeAttribute(null=True)
    order = JSONAttribute(null=True)
    expires = NumberAttribute()


class GateItem(WorkflowsTable):
    """The task token of a gate, kept until the nodes it waits for have settled."""

    task_token = UnicodeAttribute()
    expires = NumberAttribute()


class EffectItem(WorkflowsTable):
    """The journal of one step's effect: begun, then done with its answer."""

    state = UnicodeAttribute()
    attempt = UnicodeAttribute()
    answer = JSONAttribute(null=True)
    expires = NumberAttribute()


class LogItem(SparselyIndexed, WorkflowsTable):
    """One line of an execution's log; `search` is the message in lower case."""

    # A tenant's log by time.
    by_time: Gsi1[LogItem] = Gsi1()
    id = UnicodeAttribute()
    timestamp = UTCDateTimeAttribute()
    level = UnicodeAttribute()
    workflow_id = UnicodeAttribute()
    execution_id = UnicodeAttribute()
    step_id = UnicodeAttribute(null=True)
    message = UnicodeAttribute()
    search = UnicodeAttribute()
    data = JSONAttribute()
    request_id = UnicodeAttribute(null=True)
    expires = NumberAttribute()


class ApprovalItem(SparselyIndexed, WorkflowsTable):
    """An approval of a workflow step, with its votes and the task token it answers."""

    # A tenant's approvals by time.
    by_time: Gsi1[ApprovalItem] = Gsi1()
    kind = UnicodeAttribute(default="approval")
    tenant_id = UnicodeAttribute()
    id = UnicodeAttribute()
    execution_id = UnicodeAttribute()
    workflow_id = UnicodeAttribute()
    step_id = UnicodeAttribute()
    subject_hash = UnicodeAttribute()
    title = UnicodeAttribute()
    description = UnicodeAttribute()
    status = UnicodeAttribute()
    requested_by = UnicodeAttribute()
    requested_at = UTCDateTimeAttribute()
    quorum = NumberAttribute()
    approver_role = UnicodeAttribute()
    approvers = JSONAttribute()
    votes = JSONAttribute()
    revision = NumberAttribute(default=1)
    task_token = UnicodeAttribute()
    answered = BooleanAttribute(default=False)
    decided_at = UTCDateTimeAttribute(null=True)
    expires_at = UTCDateTimeAttribute()
    expires = NumberAttribute()
