"""Requests and answers of contract 2.5."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, StringConstraints, model_serializer
from tidegate_kit.http import ApiModel, PageFields, RequestModel, Text, Timestamp
from tidegate_kit.http.schema import Instant, NotNull

from tidegate.workflows.domain import ExecutionStatus, LogLevel, StepStatus, TriggerKind

Name = Annotated[Text, StringConstraints(min_length=1, max_length=200)]
Description = Annotated[Text, StringConstraints(max_length=2000)]
JsonMap = dict[str, Any]
Version = Annotated[int, Field(ge=1, lt=10**8)]
Concurrency = Annotated[int, Field(ge=1, le=100)]
Seconds = Annotated[int, Field(ge=1, le=2_592_000)]


class _Sparse(ApiModel):
    """Optional keys are left out where they have no value."""

    @model_serializer(mode="wrap")
    def _leave_out(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        data: dict[str, Any] = handler(self)
        return {
            name: value
            for name, value in data.items()
            if value is not None or name not in self.optional()
        }

    @classmethod
    def optional(cls) -> frozenset[str]:
        """Names that may be absent."""
        return frozenset()


# ---- workflows ---------------------------------------------------------------------------------


class WorkflowSettings(RequestModel):
    """How executions are bounded."""

    max_concurrency: Concurrency = 10
    on_limit: Literal["queue", "reject"] = "queue"
    timeout_seconds: Seconds = 86400


class WorkflowCreate(RequestModel):
    """POST /workflows."""

    name: Name
    description: Description = ""
    definition: JsonMap
    is_active: bool = True
    settings: WorkflowSettings = WorkflowSettings()


class WorkflowChange(RequestModel):
    """PUT /workflows/{workflow_id}: any key; what is not sent stays."""

    name: Annotated[Name | None, NotNull] = None
    description: Annotated[Description | None, NotNull] = None
    definition: Annotated[JsonMap | None, NotNull] = None
    is_active: Annotated[bool | None, NotNull] = None
    settings: Annotated[WorkflowSettings | None, NotNull] = None
    expected_version: Annotated[Version | None, NotNull] = None


class IssueModel(_Sparse):
    """One problem of a definition."""

    code: str
    message: str
    path: str
    node_id: str | None = None
    edge_id: str | None = None

    @classmethod
    def optional(cls) -> frozenset[str]:
        """Issues of the whole definition have no place."""
        return frozenset({"node_id", "edge_id"})


class ExecutionStats(ApiModel):
    """Counters of a workflow (WF-9); the duration in seconds."""

    total_executions: int
    successful_executions: int
    failed_executions: int
    average_duration: float | None
    running_executions: int


class WorkflowModel(_Sparse):
    """A workflow."""

    id: str
    name: str
    description: str
    definition: JsonMap
    is_active: bool
    created_at: Timestamp
    updated_at: Timestamp
    created_by: str
    version: int
    template_id: str | None
    settings: WorkflowSettings
    warnings: list[IssueModel] | None = None
    execution_stats: ExecutionStats | None = None

    @classmethod
    def optional(cls) -> frozenset[str]:
        """No warnings, no key; the counters come with GET alone."""
        return frozenset({"warnings", "execution_stats"})


class WorkflowRow(ApiModel):
    """A workflow in the list."""

    id: str
    name: str
    description: str
    is_active: bool
    created_at: Timestamp
    execution_count: int
    last_execution: Timestamp | None


class WorkflowList(PageFields):
    """GET /workflows."""

    workflows: list[WorkflowRow]


class Deleted(ApiModel):
    """Answer of a DELETE."""

    id: str
    deleted: Literal[True] = True


class ValidateRequest(RequestModel):
    """POST /workflows/validate. Anything may be sent as the definition."""

    definition: Any


class Validation(ApiModel):
    """What is wrong with a definition."""

    valid: bool
    errors: list[IssueModel]
    warnings: list[IssueModel]


# ---- versions ----------------------------------------------------------------------------------


class VersionRow(ApiModel):
    """A version."""

    version: int
    created_at: Timestamp
    created_by: str
    content_hash: str


class VersionDetail(VersionRow):
    """A version with its definition."""

    definition: JsonMap


class VersionList(PageFields):
    """GET /workflows/{id}/versions."""

    versions: list[VersionRow]


class Changed(ApiModel):
    """A changed member and the paths that differ."""

    id: str
    paths: list[str]


class Members(ApiModel):
    """Differences of nodes or edges."""

    added: list[str]
    removed: list[str]
    changed: list[Changed]


class Difference(ApiModel):
    """GET /workflows/{id}/diff."""

    from_: int = Field(serialization_alias="from")
    to: int
    nodes: Members
    edges: Members
    other: list[str]


class Rollback(RequestModel):
    """POST /workflows/{id}/rollback."""

    version: Version


# ---- executions --------------------------------------------------------------------------------

WebhookUrl = Annotated[Text, StringConstraints(min_length=1, max_length=2000)]


class ExecuteRequest(RequestModel):
    """POST /workflows/{id}/execute."""

    input_data: JsonMap = {}
    execution_mode: Literal["async", "sync"] = "async"
    webhook_url: Annotated[WebhookUrl | None, NotNull] = None
    version: Annotated[Version | None, NotNull] = None


class Started(ApiModel):
    """An execution that was accepted."""

    execution_id: str
    workflow_id: str
    status: ExecutionStatus
    started_at: Timestamp
    input_data: JsonMap
    workflow_version: int


class ErrorModel(ApiModel):
    """Why an execution ended."""

    code: str
    message: str
    step_id: str | None


class StepErrorModel(ApiModel):
    """Why a step failed."""

    code: str
    message: str


class StepModel(_Sparse):
    """One step of an execution."""

    step_id: str
    type: str
    status: StepStatus
    started_at: Timestamp
    completed_at: Timestamp | None
    attempts: int
    output: Any = None
    error: StepErrorModel | None = None
    reused: bool | None = None

    @classmethod
    def optional(cls) -> frozenset[str]:
        """What a step does not have is left out."""
        return frozenset({"output", "error", "reused"})


class ExecutionRow(ApiModel):
    """An execution in a list; durations in seconds."""

    id: str
    workflow_id: str
    workflow_version: int
    status: ExecutionStatus
    started_at: Timestamp
    completed_at: Timestamp | None
    duration: float | None
    input_data: JsonMap
    output_data: JsonMap | None
    error: ErrorModel | None
    trigger: TriggerKind
    resumed_from: str | None


class ExecutionModel(ExecutionRow):
    """An execution with its steps, ordered by start."""

    steps: list[StepModel]


class ExecutionList(PageFields):
    """Executions, newest first."""

    executions: list[ExecutionRow]


class ResumeRequest(RequestModel):
    """POST /workflows/executions/{id}/resume."""

    workflow_version: Annotated[Version | None, NotNull] = None
    confirm_rerun: Annotated[
        Annotated[
            list[Annotated[str, StringConstraints(min_length=1, max_length=200)]],
            Field(max_length=1000),
        ]
        | None,
        NotNull,
    ] = None
    plan_only: bool = False


class ResumePlanModel(ApiModel):
    """What a resumed execution will do with each step."""

    reuse: list[str]
    rerun: list[str]
    side_effects: list[str]


class Resumed(ApiModel):
    """Answer of a resume; when only planned, no new execution and the old one's status."""

    execution_id: str | None
    resumed_from: str
    status: ExecutionStatus
    plan: ResumePlanModel


# ---- schedules and hooks -----------------------------------------------------------------------


class ScheduleRequest(RequestModel):
    """PUT /workflows/{id}/schedule."""

    expression: Annotated[Text, StringConstraints(min_length=1, max_length=256)]
    time_zone: Annotated[str, StringConstraints(min_length=1, max_length=64)] = "UTC"
    input_data: JsonMap = {}
    enabled: bool = True
    start_at: Instant | None = None
    end_at: Instant | None = None
    on_overlap: Literal["skip", "queue", "allow"] = "skip"


class ScheduleModel(ApiModel):
    """A schedule and its next runs."""

    expression: str
    time_zone: str
    input_data: JsonMap
    enabled: bool
    start_at: Timestamp | None
    end_at: Timestamp | None
    on_overlap: Literal["skip", "queue", "allow"]
    next_runs: list[Timestamp]


class HookCreate(RequestModel):
    """POST /workflows/{id}/hooks."""

    name: Annotated[Name | None, NotNull] = None


class HookModel(_Sparse):
    """An inbound hook; the secret only when it is made."""

    hook_id: str
    url: str
    enabled: bool
    created_at: Timestamp
    name: str | None = None
    secret: str | None = None

    @classmethod
    def optional(cls) -> frozenset[str]:
        """Shown once, or never given."""
        return frozenset({"name", "secret"})


class HookList(PageFields):
    """A workflow's hooks."""

    hooks: list[HookModel]


class HookStarted(ApiModel):
    """Answer of an inbound hook."""

    execution_id: str
    status: ExecutionStatus


# ---- logs --------------------------------------------------------------------------------------


class LogModel(ApiModel):
    """One line of an execution's log."""

    id: str
    timestamp: Timestamp
    level: LogLevel
    workflow_id: str
    execution_id: str
    step_id: str | None
    message: str
    data: JsonMap
    request_id: str | None


class LogList(PageFields):
    """Log lines, newest first."""

    logs: list[LogModel]


# ---- import and export -------------------------------------------------------------------------


class ExportedWorkflow(ApiModel):
    """The part of a workflow that moves between tenants."""

    name: str
    description: str
    definition: JsonMap
    settings: WorkflowSettings


class Exported(ApiModel):
    """GET /workflows/{id}/export, lossless."""

    format: Literal["tidegate"] = "tidegate"
    version: Literal[1] = 1
    workflow: ExportedWorkflow


class ImportRequest(RequestModel):
    """POST /workflows/import."""

    content: JsonMap
    name: Annotated[Name | None, NotNull] = None


class Unmapped(ApiModel):
    """A foreign node without equivalent."""

    node: str
    type: str
    reason: str


class ImportReport(ApiModel):
    """What an import made of a file."""

    mapped: int
    unmapped: list[Unmapped]


class ImportedWorkflow(WorkflowModel):
    """The workflow that an import made, and how."""

    report: ImportReport
