"""Schedules and inbound hooks of workflows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final, Literal, Protocol

from tidegate_kit.clock import epoch
from tidegate_kit.dynamo import ConditionFailed, Transaction, scoped_store, store_errors
from tidegate_kit.errors import NotFound
from tidegate_kit.tenancy import TenantScope, key

from tidegate.workflows.models import (
    HookItem,
    HookPointerItem,
    ScheduleItem,
    SeenWebhookItem,
    WorkflowItem,
)
from tidegate.workflows.repository.keys import workflow_pk, workflow_sk

_SEEN_KEPT: Final = timedelta(days=2)  # far beyond the five minutes a signature lives


@dataclass(frozen=True)
class Schedule:
    """When a workflow starts by itself, and who answers for it."""

    workflow_id: str
    expression: str
    time_zone: str
    input_data: Mapping[str, Any]
    enabled: bool
    start_at: datetime | None
    end_at: datetime | None
    on_overlap: Literal["skip", "queue", "allow"]
    owner: str
    created_at: datetime
    updated_at: datetime
    revision: int = 1


@dataclass(frozen=True)
class Hook:
    """An inbound hook; the secrets are sealed."""

    id: str
    workflow_id: str
    created_by: str
    created_at: datetime
    sealed_secret: str = field(repr=False)
    name: str | None = None
    enabled: bool = True
    sealed_previous: str | None = field(default=None, repr=False)
    rotated_at: datetime | None = None


@dataclass(frozen=True)
class Seen:
    """A webhook-id that was taken before."""

    body_hash: str
    execution_id: str


class Triggers(Protocol):
    """What starts one tenant's workflows."""

    def schedule(self, workflow_id: str) -> Schedule:
        """Raises NotFound."""

    def put_schedule(self, schedule: Schedule) -> Schedule:
        """Store with the next revision. Raises NotFound where the workflow is gone."""

    def delete_schedule(self, workflow_id: str) -> None:
        """Raises NotFound."""

    def hooks(self, workflow_id: str) -> list[Hook]:
        """A workflow's hooks, newest first."""

    def hook(self, workflow_id: str, hook_id: str) -> Hook:
        """Raises NotFound."""

    def add_hook(self, hook: Hook) -> None:
        """Store a hook and make its id known. Raises NotFound where the workflow is gone."""

    def change_hook(self, hook: Hook) -> None:
        """Replace a hook that is there. Raises NotFound."""

    def delete_hook(self, workflow_id: str, hook_id: str) -> None:
        """Raises NotFound."""


class DynamoTriggers:
    """Triggers on the table `workflows`."""

    def __init__(self, scope: TenantScope) -> None:
        self._scope = scope

    def schedule(self, workflow_id: str) -> Schedule:
        with store_errors():
            try:
                item = ScheduleItem.get(
                    workflow_pk(self._scope, workflow_id), "SCHEDULE", consistent_read=True
                )
            except ScheduleItem.DoesNotExist:
                raise NotFound from None
        return schedule_of(item)

    def put_schedule(self, schedule: Schedule) -> Schedule:
        try:
            known = self.schedule(schedule.workflow_id)
        except NotFound:
            made = schedule
        else:
            made = replace(schedule, revision=known.revision + 1, created_at=known.created_at)
        writes = Transaction()
        writes.check(
            WorkflowItem,
            self._scope.pk,
            workflow_sk(made.workflow_id),
            WorkflowItem.pk.exists(),
            name="workflow",
        )
        writes.save(
            ScheduleItem(
                workflow_pk(self._scope, made.workflow_id),
                "SCHEDULE",
                tenant_id=self._scope.tenant_id,
                workflow_id=made.workflow_id,
                expression=made.expression,
                time_zone=made.time_zone,
                input_data=dict(made.input_data),
                enabled=made.enabled,
                start_at=made.start_at,
                end_at=made.end_at,
                on_overlap=made.on_overlap,
                owner=made.owner,
                revision=made.revision,
                created_at=made.created_at,
                updated_at=made.updated_at,
            )
        )
        self._commit(writes)
        return made

    def delete_schedule(self, workflow_id: str) -> None:
        writes = Transaction()
        writes.delete(
            ScheduleItem(workflow_pk(self._scope, workflow_id), "SCHEDULE"),
            ScheduleItem.pk.exists(),
        )
        self._commit(writes)

    @staticmethod
    def _commit(writes: Transaction) -> None:
        try:
            writes.commit()
        except ConditionFailed:
            raise NotFound from None

    # ---- hooks -----------------------------------------------------------------------------

    def hooks(self, workflow_id: str) -> list[Hook]:
        with store_errors():
            items = list(
                HookItem.query(
                    workflow_pk(self._scope, workflow_id),
                    HookItem.sk.startswith("HOOK#"),
                    consistent_read=True,
                )
            )
        found = [hook_of(item) for item in items]
        return sorted(found, key=lambda hook: (hook.created_at, hook.id), reverse=True)

    def hook(self, workflow_id: str, hook_id: str) -> Hook:
        with store_errors():
            try:
                item = HookItem.get(
                    workflow_pk(self._scope, workflow_id), key("HOOK", hook_id),
                    consistent_read=True,
                )  # fmt: skip
            except HookItem.DoesNotExist:
                raise NotFound from None
        return hook_of(item)

    def add_hook(self, hook: Hook) -> None:
        writes = Transaction()
        writes.check(
            WorkflowItem,
            self._scope.pk,
            workflow_sk(hook.workflow_id),
            WorkflowItem.pk.exists(),
            name="workflow",
        )
        writes.save(self._hook_item(hook))
        writes.save(
            HookPointerItem(
                key("HOOK", hook.id),
                "KEY",
                tenant_id=self._scope.tenant_id,
                workflow_id=hook.workflow_id,
                created_at=hook.created_at,
                updated_at=hook.created_at,
            )
        )
        with scoped_store(None):  # the pointer is global
            self._commit(writes)

    def change_hook(self, hook: Hook) -> None:
        writes = Transaction()
        writes.save(self._hook_item(hook), HookItem.pk.exists())
        self._commit(writes)

    def delete_hook(self, workflow_id: str, hook_id: str) -> None:
        writes = Transaction()
        writes.delete(
            HookItem(workflow_pk(self._scope, workflow_id), key("HOOK", hook_id)),
            HookItem.pk.exists(),
        )
        writes.delete(HookPointerItem(key("HOOK", hook_id), "KEY"))
        with scoped_store(None):
            self._commit(writes)

    def _hook_item(self, hook: Hook) -> HookItem:
        return HookItem(
            workflow_pk(self._scope, hook.workflow_id),
            key("HOOK", hook.id),
            hook_id=hook.id,
            workflow_id=hook.workflow_id,
            name=hook.name,
            enabled=hook.enabled,
            created_by=hook.created_by,
            sealed_secret=hook.sealed_secret,
            sealed_previous=hook.sealed_previous,
            rotated_at=hook.rotated_at,
            created_at=hook.created_at,
            updated_at=hook.rotated_at or hook.created_at,
        )


class GlobalHooks:
    """What is known of hooks before the tenant is: the hook's id is all that a caller gives."""

    def place(self, hook_id: str) -> tuple[TenantScope, str] | None:
        """(tenant, workflow id) of a hook."""
        with store_errors():
            try:
                item = HookPointerItem.get(key("HOOK", hook_id), "KEY", consistent_read=True)
            except HookPointerItem.DoesNotExist:
                return None
        return TenantScope(item.tenant_id), item.workflow_id

    def see(self, hook_id: str, webhook_hash: str, seen: Seen, now: datetime) -> Seen | None:
        """Note a webhook-id; what was noted before where it came before (F15)."""
        item = SeenWebhookItem(
            key("HOOK", hook_id),
            key("SEEN", webhook_hash),
            body_hash=seen.body_hash,
            execution_id=seen.execution_id,
            expires=epoch(now + _SEEN_KEPT),
            created_at=now,
            updated_at=now,
        )
        try:
            with store_errors():
                item.save(condition=SeenWebhookItem.pk.does_not_exist())
            return None
        except ConditionFailed:
            with store_errors():
                known = SeenWebhookItem.get(item.pk, item.sk, consistent_read=True)
            return Seen(known.body_hash, known.execution_id)


def schedule_of(item: ScheduleItem) -> Schedule:
    """The domain object of a stored schedule."""
    overlap: Any = item.on_overlap
    return Schedule(
        workflow_id=item.workflow_id,
        expression=item.expression,
        time_zone=item.time_zone,
        input_data=dict(item.input_data),
        enabled=bool(item.enabled),
        start_at=item.start_at,
        end_at=item.end_at,
        on_overlap=overlap,
        owner=item.owner,
        created_at=item.created_at,
        updated_at=item.updated_at,
        revision=int(item.revision),
    )


def hook_of(item: HookItem) -> Hook:
    """The domain object of a stored hook."""
    return Hook(
        id=item.hook_id,
        workflow_id=item.workflow_id,
        created_by=item.created_by,
        created_at=item.created_at,
        sealed_secret=item.sealed_secret,
        name=item.name,
        enabled=bool(item.enabled),
        sealed_previous=item.sealed_previous,
        rotated_at=item.rotated_at,
    )
