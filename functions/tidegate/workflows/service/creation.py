"""Creating a workflow as part of another domain's transaction (TPL-3)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from tidegate_kit.clients import platform_client
from tidegate_kit.clock import system_clock
from tidegate_kit.dynamo import Transaction
from tidegate_kit.http import Call
from tidegate_kit.ids import new_id
from tidegate_kit.settings import settings_of

from tidegate.workflows.answers import stable_id
from tidegate.workflows.domain import RunSettings
from tidegate.workflows.ports.names import names_of
from tidegate.workflows.repository.blobs import S3Blobs
from tidegate.workflows.repository.workflows import DynamoWorkflows
from tidegate.workflows.service.definitions import Definitions
from tidegate.workflows.service.workflows import Draft, Whole, WorkflowService
from tidegate.workflows.settings import WorkflowDataSettings


def add_workflow(
    writes: Transaction,
    call: Call,
    *,
    name: str,
    description: str,
    definition: Mapping[str, Any],
    template_id: str,
) -> Whole:
    """Add the creation of an active workflow to a transaction.

    The writes have the conditions "workflow" and "version". Raises DefinitionInvalid.
    """
    settings, scope = settings_of(WorkflowDataSettings), call.principal.tenant
    workflows = DynamoWorkflows(scope)
    blobs = S3Blobs(scope, platform_client("s3", settings.aws_region), settings.data_bucket)
    user_id = call.principal.user_id
    names = partial(names_of, scope, user_id)
    definitions = Definitions(scope.tenant_id, workflows, blobs, names)
    service = WorkflowService(workflows, definitions, user_id, system_clock, new_id)
    draft = Draft(name, description, definition, True, RunSettings(), template_id)
    whole, version = service.prepare(draft, stable_id(call) or new_id())
    workflows.add_creation(writes, whole.workflow, version)
    return whole
