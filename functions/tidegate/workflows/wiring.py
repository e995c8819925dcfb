"""Builds the services of the workflows domain on this deployment."""

from __future__ import annotations

from dataclasses import dataclass

from tidegate_kit.clients import platform_client
from tidegate_kit.clock import Clock, system_clock
from tidegate_kit.ids import new_id
from tidegate_kit.settings import settings_of
from tidegate_kit.tenancy import TenantScope

from tidegate.workflows.repository.blobs import Blobs, S3Blobs
from tidegate.workflows.repository.workflows import DynamoWorkflows, Workflows
from tidegate.workflows.service.definitions import Definitions
from tidegate.workflows.service.workflows import WorkflowService
from tidegate.workflows.settings import WorkflowsSettings


@dataclass(frozen=True)
class Repositories:
    """What one tenant's services store."""

    workflows: Workflows
    blobs: Blobs


@dataclass(frozen=True)
class Services:
    """The services of one call."""

    repositories: Repositories
    definitions: Definitions
    workflows: WorkflowService


def repositories_of(settings: WorkflowsSettings, scope: TenantScope) -> Repositories:
    """The tables and the bucket."""
    blobs = S3Blobs(scope, platform_client("s3", settings.aws_region), settings.data_bucket)
    return Repositories(DynamoWorkflows(scope), blobs)


def services_of(scope: TenantScope, user_id: str, clock: Clock = system_clock) -> Services:
    """The services of a tenant, acting for a user."""
    settings = settings_of(WorkflowsSettings)
    stored = repositories_of(settings, scope)
    definitions = Definitions(scope.tenant_id, stored.workflows, stored.blobs)
    return Services(
        stored,
        definitions,
        WorkflowService(stored.workflows, definitions, user_id, clock, new_id),
    )
