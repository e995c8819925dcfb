"""Pipelines, their executions, and which of them holds a pipeline."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import Any, Protocol

from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action
from tidegate_kit.clock import epoch
from tidegate_kit.dynamo import ConditionFailed, Transaction, batch_get, store_errors
from tidegate_kit.tenancy import TenantScope, key

from tidegate.pipelines.errors import PipelineRunning, Superseded
from tidegate.pipelines.executions import (
    PIPELINES,
    Due,
    Execution,
    Pipeline,
    PipelineName,
    RunningRef,
    Schedule,
)
from tidegate.pipelines.models import ExecutionItem, FileItem, ListingItem, PipelineItem
from tidegate.pipelines.repository import records
from tidegate.pipelines.schedules import default_expression

_DUE = "DUE"


class Executions(Protocol):
    """The pipelines of one tenant."""

    def pipeline(self, name: PipelineName) -> Pipeline:
        """One pipeline; its default schedule where none is stored."""

    def begin(self, wanted: Execution, now: datetime) -> Execution:
        """Store a new execution and let it hold its pipeline, both or neither.

        One that is stored already is given back as stored. Raises PipelineRunning.
        """

    def get(self, execution_id: str) -> Execution | None:
        """An execution."""

    def save(self, execution: Execution, now: datetime) -> Execution:
        """Store the next revision of a running execution. Raises Superseded."""

    def finish(self, execution: Execution, now: datetime) -> Execution:
        """Store the end of a running execution and free its pipeline. Raises Superseded."""

    def mark_launched(self, execution_id: str) -> None:
        """Note that the state machine was started."""

    def page(
        self, name: PipelineName, skip: int, limit: int, start: Mapping[str, Any] | None
    ) -> tuple[list[Execution], int, dict[str, Any] | None]:
        """Newest first: the executions of a page, the total, the key to go on from."""

    def set_schedule(
        self, name: PipelineName, schedule: Schedule, now: datetime, *, only_new: bool = False
    ) -> None:
        """Store a schedule; `only_new`: unless there is one."""

    def passed(self, due: Due, next_at: datetime | None, now: datetime) -> bool:
        """Move the next start on; False when it is no longer `due.at` (someone else did)."""

    def file_tag(self, name: str) -> str | None:
        """The tag under which a cost file was last read."""

    def mark_file(self, name: str, tag: str, now: datetime) -> None:
        """Note that a cost file was read."""


class DynamoExecutions:
    """Executions on the table `pipelines`."""

    def __init__(self, scope: TenantScope) -> None:
        self._scope = scope

    def pipeline(self, name: PipelineName) -> Pipeline:
        (item,) = batch_get([(PipelineItem, self._scope.pk, _pipe_sk(name))])
        expression = default_expression(self._scope.tenant_id, name)
        if item is None:
            return Pipeline(name, Schedule(expression, enabled=True), stored=False)
        schedule = Schedule(
            item.expression or expression,
            True if item.enabled is None else bool(item.enabled),
            item.next_at,
        )
        return Pipeline(
            name,
            schedule,
            item.running_id,
            item.running_until,
            item.last_id,
            stored=item.expression is not None,
        )

    def begin(self, wanted: Execution, now: datetime) -> Execution:
        free = PipelineItem.running_id.does_not_exist() | (PipelineItem.running_until <= now)
        tx = Transaction()
        item = records.execution_item(self._scope, wanted, now)
        tx.save(item, ExecutionItem.pk.does_not_exist(), name="execution")
        tx.save(
            ListingItem(
                self._list_pk(wanted.pipeline),
                records.listing_sk(wanted),
                id=wanted.id,
                expires=epoch(wanted.started_at + records.KEEP),
                created_at=now,
                updated_at=now,
            )
        )
        tx.update(
            PipelineItem(self._scope.pk, _pipe_sk(wanted.pipeline)),
            [
                PipelineItem.running_id.set(wanted.id),
                PipelineItem.running_until.set(wanted.deadline_at),
                PipelineItem.last_id.set(wanted.id),
                *self._stamp(wanted.pipeline, now),
            ],
            free,
            name="pipeline",
        )
        try:
            tx.commit()
        except ConditionFailed as lost:
            stored = self.get(wanted.id)
            if stored is not None:
                return stored
            raise PipelineRunning from lost
        return wanted

    def _stamp(self, name: PipelineName, now: datetime) -> list[Action]:
        return [
            PipelineItem.tenant_id.set(self._scope.tenant_id),
            PipelineItem.name.set(name),
            PipelineItem.schema_version.set(1),
            PipelineItem.created_at.set(PipelineItem.created_at | now),
            PipelineItem.updated_at.set(now),
        ]

    def get(self, execution_id: str) -> Execution | None:
        (item,) = batch_get([(ExecutionItem, self._scope.pk, records.execution_sk(execution_id))])
        return None if item is None else records.execution_of(item)

    def save(self, execution: Execution, now: datetime) -> Execution:
        return self._write(execution, now, Transaction())

    def finish(self, execution: Execution, now: datetime) -> Execution:
        tx = Transaction()
        holding = self.pipeline(execution.pipeline).running_id == execution.id
        if holding:
            tx.update(
                PipelineItem(self._scope.pk, _pipe_sk(execution.pipeline)),
                [
                    PipelineItem.running_id.remove(),
                    PipelineItem.running_until.remove(),
                    PipelineItem.updated_at.set(now),
                ],
                PipelineItem.running_id == execution.id,
            )
        else:
            # A newer execution has taken over after this one's deadline: it keeps the pipeline.
            other: Condition = (PipelineItem.running_id != execution.id) | (
                PipelineItem.running_id.does_not_exist()
            )
            sk = _pipe_sk(execution.pipeline)
            tx.check(PipelineItem, self._scope.pk, sk, other)
        return self._write(execution, now, tx)

    def _write(self, execution: Execution, now: datetime, tx: Transaction) -> Execution:

        new = replace(execution, revision=execution.revision + 1)
        same = (ExecutionItem.revision == execution.revision) & (ExecutionItem.status == "running")
        tx.save(records.execution_item(self._scope, new, now), same)
        try:
            tx.commit()
        except ConditionFailed as lost:
            raise Superseded from lost
        return new

    def mark_launched(self, execution_id: str) -> None:
        item = ExecutionItem(self._scope.pk, records.execution_sk(execution_id))
        try:
            with store_errors():
                item.update(
                    [ExecutionItem.launched.set(True)], condition=ExecutionItem.status == "running"
                )
        except ConditionFailed:
            return  # ended already

    def page(
        self, name: PipelineName, skip: int, limit: int, start: Mapping[str, Any] | None
    ) -> tuple[list[Execution], int, dict[str, Any] | None]:
        pk = self._list_pk(name)
        below = None if start is None else ListingItem.sk < str(start["at"])
        with store_errors():
            found = ListingItem.query(pk, below, scan_index_forward=False, consistent_read=True)
            rows = list(islice(found, skip, skip + limit + 1))
            total = ListingItem.count(pk, consistent_read=True)
        shown = rows[:limit]
        keys = [(ExecutionItem, self._scope.pk, records.execution_sk(row.id)) for row in shown]
        items = batch_get(keys) if keys else []
        next_key = {"at": shown[-1].sk} if len(rows) > limit else None
        return [records.execution_of(item) for item in items if item is not None], total, next_key

    def set_schedule(
        self, name: PipelineName, schedule: Schedule, now: datetime, *, only_new: bool = False
    ) -> None:
        item = PipelineItem(self._scope.pk, _pipe_sk(name))
        new = PipelineItem.expression.does_not_exist() if only_new else None
        try:
            with store_errors():
                item.update(
                    [
                        PipelineItem.expression.set(schedule.expression),
                        PipelineItem.enabled.set(schedule.enabled),
                        *self._next(name, schedule.next_at),
                        *self._stamp(name, now),
                    ],
                    condition=new,
                )
        except ConditionFailed:
            return

    def _next(self, name: PipelineName, at: datetime | None) -> list[Action]:
        if at is None:
            return [
                PipelineItem.next_at.remove(),
                PipelineItem.gsi1pk.remove(),
                PipelineItem.gsi1sk.remove(),
            ]
        return [
            PipelineItem.next_at.set(at),
            PipelineItem.gsi1pk.set(_DUE),
            PipelineItem.gsi1sk.set(f"{epoch(at):012d}#{self._scope.tenant_id}#{name}"),
        ]

    def passed(self, due: Due, next_at: datetime | None, now: datetime) -> bool:
        item = PipelineItem(self._scope.pk, _pipe_sk(due.name))
        try:
            with store_errors():
                item.update(
                    [*self._next(due.name, next_at), PipelineItem.updated_at.set(now)],
                    condition=PipelineItem.next_at == due.at,
                )
        except ConditionFailed:
            return False
        return True

    def file_tag(self, name: str) -> str | None:
        (item,) = batch_get([(FileItem, self._scope.pk, _file_sk(name))])
        return None if item is None else str(item.tag)

    def mark_file(self, name: str, tag: str, now: datetime) -> None:
        with store_errors():
            FileItem(
                self._scope.pk, _file_sk(name), name=name, tag=tag, created_at=now, updated_at=now
            ).save()

    def _list_pk(self, name: PipelineName) -> str:
        return f"{self._scope.pk}#{key('P', name)}"


class GlobalPipelines:
    """What is due, and what runs, in every tenant; indexes may lag, so look again."""

    def due(self, now: datetime, limit: int) -> list[Due]:
        """Pipelines whose next start has come, oldest first."""
        with store_errors():
            items = PipelineItem.due.query(
                _DUE, PipelineItem.gsi1sk <= f"{epoch(now):012d}#~", limit=limit
            )
            return [
                Due(str(item.tenant_id), item.name, item.next_at)
                for item in items
                if item.next_at is not None and item.name in PIPELINES
            ]

    def running(self, before: datetime, limit: int) -> list[RunningRef]:
        """Executions that began before an instant and have not ended, oldest first."""
        with store_errors():
            items = ExecutionItem.running.query(
                records.RUNNING, ExecutionItem.gsi1sk <= f"{epoch(before):012d}#~", limit=limit
            )
            return [RunningRef(item.tenant_id, item.id) for item in items]


def _pipe_sk(name: str) -> str:
    return key("PIPE", name)


def _file_sk(name: str) -> str:

    return key("FILE", hashlib.sha256(name.encode()).hexdigest())
