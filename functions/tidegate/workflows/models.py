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
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex
from tidegate_kit.dynamo import Table


class WorkflowsByTime(GlobalSecondaryIndex["WorkflowItem"]):  # type: ignore[no-untyped-call]
    """A tenant's workflows by creation."""

    class Meta:
        index_name = "gsi1"
        projection = AllProjection()

    gsi1pk = UnicodeAttribute(hash_key=True)
    gsi1sk = UnicodeAttribute(range_key=True)


class WorkflowItem(Table):
    """A workflow with its counters; `search` is name and description in lower case."""

    class Meta:
        table_name = "workflows"

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    by_time = WorkflowsByTime()
    gsi1pk = UnicodeAttribute(null=True)
    gsi1sk = UnicodeAttribute(null=True)
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


class WorkflowCountItem(Table):
    """How many workflows a tenant has, by state."""

    class Meta:
        table_name = "workflows"

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    on = NumberAttribute(default=0)
    off = NumberAttribute(default=0)


class VersionItem(Table):
    """An immutable version; only the ARN of its published state machine is added later."""

    class Meta:
        table_name = "workflows"

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
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


class HookItem(Table):
    """An inbound hook; its secret is sealed."""

    class Meta:
        table_name = "workflows"

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    hook_id = UnicodeAttribute()
    workflow_id = UnicodeAttribute()
    name = UnicodeAttribute(null=True)
    enabled = BooleanAttribute()
    created_by = UnicodeAttribute()
    sealed_secret = UnicodeAttribute()
    sealed_previous = UnicodeAttribute(null=True)
    rotated_at = UTCDateTimeAttribute(null=True)


class HookPointerItem(Table):
    """Global: which tenant and workflow a hook id belongs to."""

    class Meta:
        table_name = "workflows"

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    tenant_id = UnicodeAttribute()
    workflow_id = UnicodeAttribute()


class SeenWebhookItem(Table):
    """Global: a webhook-id that a hook has taken, and the execution that it started."""

    class Meta:
        table_name = "workflows"

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    body_hash = UnicodeAttribute()
    execution_id = UnicodeAttribute()
    expires = NumberAttribute()


class ScheduleItem(Table):
    """A workflow's schedule and its owner, who answers for the runs (WF-16)."""

    class Meta:
        table_name = "workflows"

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
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


class ExecutionItem(Table):
    """One execution. `kind` and `tenant_id` serve readers of the stream."""

    class Meta:
        table_name = "workflows"

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
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


class ListingsByWorkflow(GlobalSecondaryIndex["ExecutionListingItem"]):  # type: ignore[no-untyped-call]
    """A workflow's executions by start."""

    class Meta:
        index_name = "gsi1"
        projection = AllProjection()

    gsi1pk = UnicodeAttribute(hash_key=True)
    gsi1sk = UnicodeAttribute(range_key=True)


class ExecutionListingItem(Table):
    """The place of an execution in the lists; `status` follows the execution's."""

    class Meta:
        table_name = "workflows"

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    by_workflow = ListingsByWorkflow()
    gsi1pk = UnicodeAttribute(null=True)
    gsi1sk = UnicodeAttribute(null=True)
    execution_id = UnicodeAttribute()
    workflow_id = UnicodeAttribute()
    status = UnicodeAttribute()
    expires = NumberAttribute()


class OpenItem(Table):
    """An execution that has not ended; queued ones are in the order they came."""

    class Meta:
        table_name = "workflows"

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    execution_id = UnicodeAttribute()
    workflow_id = UnicodeAttribute()
    started_at = UTCDateTimeAttribute()


class StepItem(Table):
    """One step of the ledger."""

    class Meta:
        table_name = "workflows"

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
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


class GateItem(Table):
    """The task token of a gate, kept until the nodes it waits for have settled."""

    class Meta:
        table_name = "workflows"

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    task_token = UnicodeAttribute()
    expires = NumberAttribute()


class EffectItem(Table):
    """The journal of one step's effect: begun, then done with its answer."""

    class Meta:
        table_name = "workflows"

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    state = UnicodeAttribute()
    attempt = UnicodeAttribute()
    answer = JSONAttribute(null=True)
    expires = NumberAttribute()


class LogsByTime(GlobalSecondaryIndex["LogItem"]):  # type: ignore[no-untyped-call]
    """A tenant's log by time."""

    class Meta:
        index_name = "gsi1"
        projection = AllProjection()

    gsi1pk = UnicodeAttribute(hash_key=True)
    gsi1sk = UnicodeAttribute(range_key=True)


class LogItem(Table):
    """One line of an execution's log; `search` is the message in lower case."""

    class Meta:
        table_name = "workflows"

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    by_time = LogsByTime()
    gsi1pk = UnicodeAttribute(null=True)
    gsi1sk = UnicodeAttribute(null=True)
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


class ApprovalsByTime(GlobalSecondaryIndex["ApprovalItem"]):  # type: ignore[no-untyped-call]
    """A tenant's approvals by time."""

    class Meta:
        index_name = "gsi1"
        projection = AllProjection()

    gsi1pk = UnicodeAttribute(hash_key=True)
    gsi1sk = UnicodeAttribute(range_key=True)


class ApprovalItem(Table):
    """An approval of a workflow step, with its votes and the task token it answers."""

    class Meta:
        table_name = "workflows"

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    by_time = ApprovalsByTime()
    gsi1pk = UnicodeAttribute(null=True)
    gsi1sk = UnicodeAttribute(null=True)
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
