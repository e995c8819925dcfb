"""Between items of the `workflows` table and workflows with their versions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tidegate_kit.tenancy import TenantScope

from tidegate.workflows.domain import RunSettings, Stats, Version, Workflow
from tidegate.workflows.models import (
    VersionItem,
    WorkflowItem,
)
from tidegate.workflows.repository.blobs import pack, required
from tidegate.workflows.repository.keys import version_sk, workflow_pk


def search_text(workflow: Workflow) -> str:
    """What a search looks in: name and description in lower case."""
    return f"{workflow.name}\n{workflow.description}".casefold()


def settings_body(settings: RunSettings) -> dict[str, Any]:
    """The settings of runs as JSON."""
    return {
        "max_concurrency": settings.max_concurrency,
        "on_limit": settings.on_limit,
        "timeout_seconds": settings.timeout_seconds,
    }


def workflow_of(item: WorkflowItem) -> Workflow:
    """The domain object of a stored workflow."""
    return Workflow(
        id=item.id,
        name=item.name,
        description=item.description,
        is_active=bool(item.is_active),
        created_by=item.created_by,
        created_at=item.created_at,
        updated_at=item.updated_at,
        version=int(item.version),
        settings=RunSettings(**item.settings),
        template_id=item.template_id,
        revision=int(item.revision),
        stats=Stats(
            active=int(item.active),
            queued=int(item.queued),
            successful=int(item.successful),
            failed=int(item.failed),
            ended_micros=int(item.ended_micros),
            last_execution=item.last_execution,
        ),
    )


def version_item(scope: TenantScope, version: Version) -> VersionItem:
    """The item of a version."""
    return VersionItem(
        workflow_pk(scope, version.workflow_id),
        version_sk(version.version),
        workflow_id=version.workflow_id,
        version=version.version,
        created_by=version.created_by,
        content_hash=version.content_hash,
        definition=pack(version.definition),
        valid=version.valid,
        issues=[dict(issue) for issue in version.issues],
        required_inputs=[list(path) for path in version.required_inputs],
        callees=list(version.callees),
        created_at=version.created_at,
        updated_at=version.created_at,
    )


def version_of(item: VersionItem) -> Version:
    """The domain object of a stored version."""
    return Version(
        workflow_id=item.workflow_id,
        version=int(item.version),
        created_at=item.created_at,
        created_by=item.created_by,
        content_hash=item.content_hash,
        definition=required(item.definition),
        valid=bool(item.valid),
        issues=tuple(item.issues),
        required_inputs=_paths(item.required_inputs),
        callees=tuple(item.callees),
        machine_version_arn=item.machine_version_arn,
        plan=item.plan,
    )


def _paths(stored: Sequence[Sequence[str]]) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(path) for path in stored)
