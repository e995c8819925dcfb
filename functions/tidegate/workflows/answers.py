"""Between the wire and the domain: requests to drafts, objects to answers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tidegate_kit.http import Call
from tidegate_kit.ids import new_id

from tidegate.workflows.domain import RunSettings, Version, Workflow
from tidegate.workflows.identifiers import id_from
from tidegate.workflows.rehearsal_schemas import DryRunRequest
from tidegate.workflows.repository.triggers import Hook, Schedule
from tidegate.workflows.schemas import (
    ExecuteRequest,
    ExecutionStats,
    Exported,
    ExportedWorkflow,
    HookModel,
    ImportedWorkflow,
    ImportReport,
    IssueModel,
    Resumed,
    ResumePlanModel,
    ScheduleModel,
    ScheduleRequest,
    Unmapped,
    Validation,
    VersionDetail,
    VersionRow,
    WorkflowChange,
    WorkflowCreate,
    WorkflowModel,
    WorkflowRow,
    WorkflowSettings,
)
from tidegate.workflows.service.executions import Start
from tidegate.workflows.service.imports import Report
from tidegate.workflows.service.resume import Resumption
from tidegate.workflows.service.workflows import Change, Draft, Whole
from tidegate.workflows.validation import Report as ValidationReport


def stable_id(call: Call) -> str | None:
    """The id of what a call creates: the same for every repetition under one Idempotency-Key."""
    return None if call.effect_key is None else id_from(call.effect_key)


def start_of(workflow_id: str, body: ExecuteRequest, call: Call) -> Start:
    """A start by a user."""
    return Start(
        id=stable_id(call) or new_id(),
        workflow_id=workflow_id,
        input_data=body.input_data,
        principal=call.principal.user_id,
        trigger="api",
        version=body.version,
        webhook_url=body.webhook_url,
        request_id=call.request_id,
    )


def draft_of(body: WorkflowCreate) -> Draft:
    """A creation."""
    return Draft(
        body.name, body.description, body.definition, body.is_active, run_settings(body.settings)
    )


def change_of(body: WorkflowChange) -> Change:
    """A change; what was not sent is None."""
    return Change(
        name=body.name,
        description=body.description,
        definition=body.definition,
        is_active=body.is_active,
        settings=None if body.settings is None else run_settings(body.settings),
        expected_version=body.expected_version,
    )


def mocks_of(body: DryRunRequest) -> dict[str, dict[str, Any]]:
    """The mocks of a dry run by node id: {"output"} or {"error"}."""
    mocks = body.mocks or {}
    return {node: mock.model_dump(exclude_unset=True) for node, mock in mocks.items()}


def run_settings(settings: WorkflowSettings) -> RunSettings:
    """The domain's settings."""
    return RunSettings(settings.max_concurrency, settings.on_limit, settings.timeout_seconds)


def workflow_fields(whole: Whole, *, with_stats: bool = False) -> dict[str, Any]:
    """The fields of a workflow's answer."""
    workflow = whole.workflow
    return {
        "id": workflow.id,
        "name": workflow.name,
        "description": workflow.description,
        "definition": dict(whole.definition),
        "is_active": workflow.is_active,
        "created_at": workflow.created_at,
        "updated_at": workflow.updated_at,
        "created_by": workflow.created_by,
        "version": workflow.version,
        "template_id": workflow.template_id,
        "settings": WorkflowSettings(**vars(workflow.settings)),
        "warnings": [IssueModel(**issue) for issue in whole.warnings] or None,
        "execution_stats": _stats(workflow) if with_stats else None,
    }


def workflow_model(whole: Whole, *, with_stats: bool = False) -> WorkflowModel:
    """A workflow's answer."""
    return WorkflowModel(**workflow_fields(whole, with_stats=with_stats))


def _stats(workflow: Workflow) -> ExecutionStats:
    stats = workflow.stats
    return ExecutionStats(
        total_executions=stats.total,
        successful_executions=stats.successful,
        failed_executions=stats.failed,
        average_duration=stats.average_duration,
        running_executions=stats.running,
    )


def workflow_row(workflow: Workflow) -> WorkflowRow:
    """A workflow in the list."""
    return WorkflowRow(
        id=workflow.id,
        name=workflow.name,
        description=workflow.description,
        is_active=workflow.is_active,
        created_at=workflow.created_at,
        execution_count=workflow.stats.total + workflow.stats.running,
        last_execution=workflow.stats.last_execution,
    )


def validation(report: ValidationReport) -> Validation:
    """The answer of a validation."""
    return Validation(
        valid=report.valid,
        errors=[IssueModel(**issue.as_dict()) for issue in report.errors],
        warnings=[IssueModel(**issue.as_dict()) for issue in report.warnings],
    )


def version_row(version: Version) -> VersionRow:
    """A version in the list."""
    return VersionRow(**_version(version))


def version(version: Version, definition: Mapping[str, Any]) -> VersionDetail:
    """A version with its definition."""
    return VersionDetail(**_version(version), definition=dict(definition))


def _version(version: Version) -> dict[str, Any]:
    return {
        "version": version.version,
        "created_at": version.created_at,
        "created_by": version.created_by,
        "content_hash": version.content_hash,
    }


def exported(whole: Whole) -> Exported:
    """A workflow as a file."""
    workflow = whole.workflow
    return Exported(
        workflow=ExportedWorkflow(
            name=workflow.name,
            description=workflow.description,
            definition=dict(whole.definition),
            settings=WorkflowSettings(**vars(workflow.settings)),
        )
    )


def imported(whole: Whole, report: Report) -> ImportedWorkflow:
    """The workflow that an import made."""
    return ImportedWorkflow(
        **workflow_fields(whole),
        report=ImportReport(
            mapped=report.mapped, unmapped=[Unmapped(**row) for row in report.unmapped]
        ),
    )


def resume_start(call: Call) -> Start:
    """A resume by a user; what runs is filled in from the execution it resumes."""
    return Start(
        id=stable_id(call) or new_id(),
        workflow_id="",
        input_data={},
        principal=call.principal.user_id,
        trigger="resume",
        request_id=call.request_id,
    )


def resumed(execution_id: str, done: Resumption) -> Resumed:
    """What a resume did or would do."""
    return Resumed(
        execution_id=None if done.execution is None else done.execution.id,
        resumed_from=execution_id,
        status=done.status,
        plan=ResumePlanModel(
            reuse=list(done.plan.reuse),
            rerun=list(done.plan.rerun),
            side_effects=list(done.plan.side_effects),
        ),
    )


def schedule_of(workflow_id: str, body: ScheduleRequest, call: Call) -> Schedule:
    """A schedule, owned by the caller."""
    return Schedule(
        workflow_id=workflow_id,
        expression=body.expression,
        time_zone=body.time_zone,
        input_data=body.input_data,
        enabled=body.enabled,
        start_at=body.start_at,
        end_at=body.end_at,
        on_overlap=body.on_overlap,
        owner=call.principal.user_id,
        created_at=call.now,
        updated_at=call.now,
    )


def schedule(stored: Schedule, next_runs: list[datetime]) -> ScheduleModel:
    """A schedule's answer."""
    return ScheduleModel(
        expression=stored.expression,
        time_zone=stored.time_zone,
        input_data=dict(stored.input_data),
        enabled=stored.enabled,
        start_at=stored.start_at,
        end_at=stored.end_at,
        on_overlap=stored.on_overlap,
        next_runs=next_runs,
    )


def hook(stored: Hook, call: Call, secret: str | None = None) -> HookModel:
    """A hook's answer; the address is built on the configured base URL."""
    return HookModel(
        hook_id=stored.id,
        url=f"{call.settings.public_base_url}/api/hooks/{stored.id}",
        enabled=stored.enabled,
        created_at=stored.created_at,
        name=stored.name,
        secret=secret,
    )


def hook_with_secret(made: tuple[Hook, str], call: Call) -> HookModel:
    """A hook as it is shown once."""
    return hook(made[0], call, made[1])
