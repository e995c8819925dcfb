"""Inbound hooks: made, rotated, and answered (WF-14)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from tidegate_kit.clock import Clock
from tidegate_kit.crypto import SealContext, Sealer
from tidegate_kit.errors import NotFound
from tidegate_kit.ids import IdFactory
from tidegate_kit.tenancy import TenantScope
from tidegate_kit.webhooks import WebhookSecrets, new_webhook_secret, verify_webhook

from tidegate.workflows.domain import Execution
from tidegate.workflows.errors import WebhookIdReused
from tidegate.workflows.identifiers import id_from
from tidegate.workflows.repository.triggers import GlobalHooks, Hook, Seen, Triggers
from tidegate.workflows.service.executions import ExecutionService, Start

# Headers that authenticate the call and are of no use to a workflow.
_WITHHELD: Final = frozenset({"authorization", "cookie", "webhook-signature"})


@dataclass(frozen=True)
class Inbound:
    """A call of a hook: the raw body, and what it holds if it is JSON."""

    hook_id: str
    headers: Mapping[str, str]
    body: bytes
    content: Any
    request_id: str


@dataclass(frozen=True)
class Received:
    """The execution of a call; `repeated` when the same call came before."""

    execution: Execution
    repeated: bool


class HookService:
    """The hooks of one tenant's workflows."""

    def __init__(
        self, tenant_id: str, triggers: Triggers, sealer: Sealer, clock: Clock, ids: IdFactory
    ) -> None:
        self._tenant_id = tenant_id
        self._triggers = triggers
        self._sealer = sealer
        self._clock = clock
        self._ids = ids

    def create(self, workflow_id: str, name: str | None, user_id: str) -> tuple[Hook, str]:
        """A new hook and its secret, shown this once. Raises NotFound."""
        hook_id, secret = self._ids(), new_webhook_secret()
        hook = Hook(
            id=hook_id,
            workflow_id=workflow_id,
            created_by=user_id,
            created_at=self._clock(),
            sealed_secret=self._sealer.seal(secret, self._context(hook_id)),
            name=name,
        )
        self._triggers.add_hook(hook)
        return hook, secret

    def rotate(self, workflow_id: str, hook_id: str) -> tuple[Hook, str]:
        """A fresh secret; the present one still verifies for 24 h (F18). Raises NotFound."""
        hook = self._triggers.hook(workflow_id, hook_id)
        secret = new_webhook_secret()
        rotated = replace(
            hook,
            sealed_secret=self._sealer.seal(secret, self._context(hook_id)),
            sealed_previous=hook.sealed_secret,
            rotated_at=self._clock(),
        )
        self._triggers.change_hook(rotated)
        return rotated, secret

    def secrets(self, hook: Hook) -> tuple[str, ...]:
        """The secrets that verify now."""
        context = self._context(hook.id)
        previous = hook.sealed_previous
        kept = WebhookSecrets(
            self._sealer.open(hook.sealed_secret, context),
            None if previous is None else self._sealer.open(previous, context),
            hook.rotated_at,
        )
        return kept.at(self._clock())

    def _context(self, hook_id: str) -> SealContext:
        return SealContext(self._tenant_id, f"HOOK#{hook_id}", "secret")


@dataclass(frozen=True)
class HookParts:
    """What answers the calls for one tenant."""

    hooks: HookService
    triggers: Triggers
    executions: ExecutionService


def receive(
    known: GlobalHooks,
    parts_of: Callable[[TenantScope, str], HookParts],
    call: Inbound,
    clock: Clock,
) -> Received:
    """Verify a call and start its execution, once per webhook-id.

    Raises InvalidSignature for an unknown hook and a bad signature alike, WebhookIdReused for a
    known webhook-id with another body, and what starting raises.
    """
    hook, parts = _hook(known, parts_of, call.hook_id)
    secrets = () if hook is None or parts is None else parts.hooks.secrets(hook)
    message = verify_webhook(secrets, call.headers, call.body, clock())
    if hook is None or parts is None:
        raise NotFound  # no secret verifies anything, so this is never reached
    body_hash = hashlib.sha256(call.body).hexdigest()
    execution_id = id_from(f"hook/{hook.id}/{message.id}")
    webhook_hash = hashlib.sha256(message.id.encode()).hexdigest()
    seen = known.see(hook.id, webhook_hash, Seen(body_hash, execution_id), clock())
    if seen is not None and seen.body_hash != body_hash:
        raise WebhookIdReused
    # Also for a repetition: the first call may have died before the execution was stored.
    execution = parts.executions.begin(
        Start(
            id=execution_id,
            workflow_id=hook.workflow_id,
            input_data=call.content if isinstance(call.content, dict) else {},
            principal=hook.created_by,
            trigger="webhook",
            trigger_data=_trigger(call),
            request_id=call.request_id,
        )
    )
    return Received(execution, seen is not None)


def _hook(
    known: GlobalHooks, parts_of: Callable[[TenantScope, str], HookParts], hook_id: str
) -> tuple[Hook | None, HookParts | None]:
    place = known.place(hook_id)
    if place is None:
        return None, None
    scope, workflow_id = place
    parts = parts_of(scope, workflow_id)
    try:
        hook = parts.triggers.hook(workflow_id, hook_id)
    except NotFound:
        return None, None
    return (hook, parts) if hook.enabled else (None, None)


def _trigger(call: Inbound) -> dict[str, Any]:
    headers = {
        name.lower(): value for name, value in call.headers.items() if name.lower() not in _WITHHELD
    }
    return {"type": "webhook", "headers": headers, "body": call.content}
