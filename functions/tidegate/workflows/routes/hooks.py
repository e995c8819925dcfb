"""Inbound hooks: made for a workflow, called by anybody who can sign (WF-14)."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Path, Response
from tidegate_kit.auth.permissions import PUBLIC
from tidegate_kit.errors import PolicyDenied, TooManyRequests
from tidegate_kit.http import CurrentCall, Paging, PathId
from tidegate_kit.ratelimit import DynamoRateCounters, RateLimiter
from tidegate_kit.webhooks import InvalidSignature

from tidegate.workflows import answers
from tidegate.workflows.errors import WebhookIdReused, WorkflowInactive
from tidegate.workflows.routes.context import Page, hooks, receive_hook, services
from tidegate.workflows.routes.router import router
from tidegate.workflows.schemas import Deleted, HookCreate, HookList, HookModel, HookStarted

_PATH = "/workflows/{workflow_id}/hooks"
HookId = Annotated[str, Path(max_length=64, pattern=r"^[A-Za-z0-9-]+$")]


@router.get(_PATH, permission="workflow:read", rate="W", response_model=HookList)
def list_hooks(workflow_id: PathId, call: CurrentCall, params: Page) -> Any:
    """A workflow's hooks, newest first; secrets are never shown again."""
    services(call).repositories.workflows.get(workflow_id)
    _, triggers = hooks(call)
    paging = Paging(call, params, {"workflow_id": workflow_id})
    rows, fields = paging.slice(triggers.hooks(workflow_id))
    return HookList(hooks=[answers.hook(row, call) for row in rows], **fields)


@router.post(
    _PATH,
    permission="workflow:update",
    status=201,
    rate="W",
    idempotent=True,
    secret=True,
    response_model=HookModel,
)
def create_hook(workflow_id: PathId, body: HookCreate, call: CurrentCall) -> Any:
    """Make a hook; its secret is shown this once."""
    service, _ = hooks(call)
    return answers.hook_with_secret(
        service.create(workflow_id, body.name, call.principal.user_id), call
    )


@router.delete(
    f"{_PATH}/{{hook_id}}", permission="workflow:update", rate="W", response_model=Deleted
)
def delete_hook(workflow_id: PathId, hook_id: PathId, call: CurrentCall) -> Any:
    """Delete a hook; its address answers 401 from now on."""
    _, triggers = hooks(call)
    triggers.delete_hook(workflow_id, hook_id)
    return Deleted(id=hook_id)


@router.post(
    f"{_PATH}/{{hook_id}}/rotate-secret",
    permission="workflow:update",
    rate="W",
    idempotent=True,
    secret=True,
    response_model=HookModel,
)
def rotate_hook(workflow_id: PathId, hook_id: PathId, call: CurrentCall) -> Any:
    """Make a fresh secret; the old one verifies for another 24 h."""
    service, _ = hooks(call)
    return answers.hook_with_secret(service.rotate(workflow_id, hook_id), call)


@router.post(
    "/hooks/{hook_id}",
    permission=PUBLIC,
    status=202,
    rate="NONE",
    body="raw",
    response_model=HookStarted,
    errors=[PolicyDenied, InvalidSignature, TooManyRequests, WebhookIdReused, WorkflowInactive],
)
def receive_call(hook_id: HookId, call: CurrentCall, response: Response) -> Any:
    """A signed call starts an execution; the same webhook-id again answers 200 and starts none."""
    limiter = RateLimiter(DynamoRateCounters(), lambda: call.now)
    call.rate = limiter.check(f"HOOK#{hook_id}", "D")
    received = receive_hook(hook_id, call)
    if received.repeated:
        response.status_code = 200
    return HookStarted(execution_id=received.execution.id, status="running")
