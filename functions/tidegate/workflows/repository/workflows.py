"""Workflows and their immutable versions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from pynamodb.expressions.condition import Condition
from tidegate_kit.dynamo import ConditionFailed, Transaction, store_errors
from tidegate_kit.errors import NotFound
from tidegate_kit.tenancy import TenantScope

from tidegate.workflows.domain import Version, Workflow
from tidegate.workflows.errors import VersionConflict
from tidegate.workflows.models import (
    HookItem,
    HookPointerItem,
    ScheduleItem,
    VersionItem,
    WorkflowCountItem,
    WorkflowItem,
)
from tidegate.workflows.repository.keys import place_of, version_sk, workflow_pk, workflow_sk
from tidegate.workflows.repository.paging import page_of
from tidegate.workflows.repository.workflow_records import (
    search_text,
    settings_body,
    version_item,
    version_of,
    workflow_of,
)


@dataclass(frozen=True)
class WorkflowFilters:
    """Which workflows a list holds. `search` matches name and description, case ignored."""

    is_active: bool | None = None
    search: str | None = None


class Workflows(Protocol):
    """The workflows of one tenant."""

    def create(self, workflow: Workflow, version: Version) -> None:
        """Store a workflow with its first version; repeating the same one does nothing."""

    def get(self, workflow_id: str) -> Workflow:
        """A workflow, strongly consistent. Raises NotFound."""

    def change(self, old: Workflow, new: Workflow, version: Version | None) -> None:
        """Replace `old`, adding a version. Raises VersionConflict when it was changed meanwhile."""

    def delete(self, workflow: Workflow) -> None:
        """Remove the workflow, its schedule and hooks; versions and executions stay (WF-11)."""

    def version(self, workflow_id: str, number: int) -> Version:
        """A version. Raises NotFound."""

    def versions(self, workflow_id: str) -> list[Version]:
        """Every version, newest first."""

    def publish(self, version: Version, arn: str, plan: Mapping[str, Any]) -> Version:
        """Note the published state machine of a version as read; a faster note stays."""

    def callees(self, workflow_id: str) -> Iterable[str] | None:
        """The workflows that one calls; None where there is no such workflow."""

    def page(
        self,
        filters: WorkflowFilters,
        skip: int,
        limit: int,
        start: Mapping[str, Any] | None,
    ) -> tuple[list[Workflow], int, dict[str, Any] | None]:
        """Newest first: the rows of a page, the total, and the key to go on from."""


class DynamoWorkflows:
    """Workflows on the table `workflows`."""

    def __init__(self, scope: TenantScope) -> None:
        self._scope = scope

    def create(self, workflow: Workflow, version: Version) -> None:
        writes = Transaction()
        self.add_creation(writes, workflow, version)
        try:
            writes.commit()
        except ConditionFailed:
            # The same call again, after its answer was lost: the ids are derived from it (H30).
            self.get(workflow.id)

    def add_creation(self, writes: Transaction, workflow: Workflow, version: Version) -> None:
        """Add the writes of a creation to a transaction."""
        item = WorkflowItem(
            self._scope.pk,
            workflow_sk(workflow.id),
            gsi1pk=f"{self._scope.pk}#WF",
            gsi1sk=place_of(workflow.created_at, workflow.id),
            id=workflow.id,
            name=workflow.name,
            description=workflow.description,
            search=search_text(workflow),
            is_active=workflow.is_active,
            created_by=workflow.created_by,
            template_id=workflow.template_id,
            settings=settings_body(workflow.settings),
            version=workflow.version,
            revision=workflow.revision,
            callees=list(version.callees),
            created_at=workflow.created_at,
            updated_at=workflow.updated_at,
        )
        writes.save(item, WorkflowItem.pk.does_not_exist(), name="workflow")
        writes.save(
            version_item(self._scope, version), VersionItem.pk.does_not_exist(), name="version"
        )
        self._count(writes, {workflow.is_active: 1}, workflow.created_at)

    def get(self, workflow_id: str) -> Workflow:
        item = self._item(workflow_id)
        if item is None:
            raise NotFound
        return workflow_of(item)

    def _item(self, workflow_id: str) -> WorkflowItem | None:
        with store_errors():
            try:
                return WorkflowItem.get(
                    self._scope.pk, workflow_sk(workflow_id), consistent_read=True
                )
            except WorkflowItem.DoesNotExist:
                return None

    def change(self, old: Workflow, new: Workflow, version: Version | None) -> None:
        actions = [
            WorkflowItem.name.set(new.name),
            WorkflowItem.description.set(new.description),
            WorkflowItem.search.set(search_text(new)),
            WorkflowItem.is_active.set(new.is_active),
            WorkflowItem.settings.set(settings_body(new.settings)),
            WorkflowItem.version.set(new.version),
            WorkflowItem.revision.set(old.revision + 1),
            WorkflowItem.updated_at.set(new.updated_at),
        ]
        if version is not None:
            actions.append(WorkflowItem.callees.set(list(version.callees)))
        writes = Transaction()
        writes.update(
            WorkflowItem(self._scope.pk, workflow_sk(old.id)),
            actions,
            WorkflowItem.revision == old.revision,
            name="workflow",
        )
        if version is not None:
            writes.save(
                version_item(self._scope, version), VersionItem.pk.does_not_exist(), name="version"
            )
        if old.is_active != new.is_active:
            self._count(writes, {new.is_active: 1, old.is_active: -1}, new.updated_at)
        try:
            writes.commit()
        except ConditionFailed as lost:
            self.get(old.id)
            raise VersionConflict from lost

    def _count(self, writes: Transaction, deltas: Mapping[bool, int], now: datetime) -> None:
        fields = {True: WorkflowCountItem.on, False: WorkflowCountItem.off}
        writes.update(
            WorkflowCountItem(self._scope.pk, "WFCOUNT"),
            [
                *(fields[active].add(delta) for active, delta in deltas.items()),
                WorkflowCountItem.schema_version.set(1),
                WorkflowCountItem.created_at.set(WorkflowCountItem.created_at | now),
                WorkflowCountItem.updated_at.set(now),
            ],
        )

    def delete(self, workflow: Workflow) -> None:
        pk = workflow_pk(self._scope, workflow.id)
        with store_errors():
            hooks = list(HookItem.query(pk, HookItem.sk.startswith("HOOK#"), consistent_read=True))
        writes = Transaction()
        writes.delete(
            WorkflowItem(self._scope.pk, workflow_sk(workflow.id)),
            (WorkflowItem.revision == workflow.revision) & WorkflowItem.pk.exists(),
            name="workflow",
        )
        writes.delete(ScheduleItem(pk, "SCHEDULE"))
        for hook in hooks:
            writes.delete(HookItem(pk, hook.sk))
            writes.delete(HookPointerItem(hook.sk, "KEY"))
        self._count(writes, {workflow.is_active: -1}, workflow.updated_at)
        try:
            writes.commit()
        except ConditionFailed as lost:
            self.get(workflow.id)
            raise VersionConflict from lost

    def version(self, workflow_id: str, number: int) -> Version:
        if not 1 <= number < 10**8:
            raise NotFound
        with store_errors():
            try:
                item = VersionItem.get(
                    workflow_pk(self._scope, workflow_id), version_sk(number), consistent_read=True
                )
            except VersionItem.DoesNotExist:
                raise NotFound from None
        return version_of(item)

    def versions(self, workflow_id: str) -> list[Version]:
        with store_errors():
            items = list(
                VersionItem.query(
                    workflow_pk(self._scope, workflow_id),
                    VersionItem.sk.startswith("V#"),
                    consistent_read=True,
                    scan_index_forward=False,
                )
            )
        return [version_of(item) for item in items]

    def publish(self, version: Version, arn: str, plan: Mapping[str, Any]) -> Version:
        item = VersionItem(
            workflow_pk(self._scope, version.workflow_id), version_sk(version.version)
        )
        known = version.machine_version_arn
        unchanged = (
            VersionItem.machine_version_arn.does_not_exist()
            if known is None
            else VersionItem.machine_version_arn == known
        )
        try:
            with store_errors():
                item.update(
                    [
                        VersionItem.machine_version_arn.set(arn),
                        VersionItem.plan.set(dict(plan)),
                    ],
                    condition=VersionItem.pk.exists() & unchanged,
                )
        except ConditionFailed:
            return self.version(version.workflow_id, version.version)
        return version_of(item)

    def callees(self, workflow_id: str) -> Iterable[str] | None:
        item = self._item(workflow_id)
        return None if item is None else list(item.callees)

    def page(
        self,
        filters: WorkflowFilters,
        skip: int,
        limit: int,
        start: Mapping[str, Any] | None,
    ) -> tuple[list[Workflow], int, dict[str, Any] | None]:
        rows, more = page_of(self._newest(filters, start), skip, limit)
        next_key = {"at": place_of(rows[-1].created_at, rows[-1].id)} if more else None
        return rows, self._total(filters), next_key

    def _newest(
        self, filters: WorkflowFilters, start: Mapping[str, Any] | None
    ) -> Iterator[Workflow]:
        below = None if start is None else WorkflowItem.gsi1sk < str(start["at"])
        with store_errors():
            for item in WorkflowItem.by_time.query(
                f"{self._scope.pk}#WF", below, _condition(filters), scan_index_forward=False
            ):
                yield workflow_of(item)

    def _total(self, filters: WorkflowFilters) -> int:
        if filters.search:
            with store_errors():
                return int(
                    WorkflowItem.by_time.count(
                        f"{self._scope.pk}#WF", filter_condition=_condition(filters)
                    )
                )
        with store_errors():
            try:
                counts = WorkflowCountItem.get(self._scope.pk, "WFCOUNT", consistent_read=True)
            except WorkflowCountItem.DoesNotExist:
                return 0
        by_state = {True: int(counts.on), False: int(counts.off)}
        return sum(by_state.values()) if filters.is_active is None else by_state[filters.is_active]


def _condition(filters: WorkflowFilters) -> Condition | None:
    condition: Condition | None = None
    if filters.search:
        condition = WorkflowItem.search.contains(filters.search.casefold())
    if filters.is_active is not None:
        active = WorkflowItem.is_active == filters.is_active
        condition = active if condition is None else condition & active
    return condition
