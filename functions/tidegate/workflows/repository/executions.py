"""Executions: created under a concurrency limit, ended once, listed by time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, Literal, Protocol

from pynamodb.expressions.condition import Condition
from tidegate_kit.clock import epoch
from tidegate_kit.dynamo import ConditionFailed, Transaction, store_errors
from tidegate_kit.errors import Conflict, NotFound
from tidegate_kit.tenancy import TenantScope, key

from tidegate.workflows.domain import (
    EXECUTION_KEPT,
    Blob,
    Execution,
    ExecutionStatus,
    LogEntry,
    StepProblem,
)
from tidegate.workflows.errors import ConcurrencyLimit, NotResumable, WorkflowInactive
from tidegate.workflows.models import (
    ExecutionItem,
    ExecutionListingItem,
    OpenItem,
    WorkflowItem,
)
from tidegate.workflows.repository.blobs import pack
from tidegate.workflows.repository.execution_lists import (
    ExecutionFilters,
    ExecutionLists,
    execution_of,
    problem_of,
)
from tidegate.workflows.repository.keys import (
    execution_sk,
    place_of,
    time_key,
    workflow_pk,
    workflow_sk,
)
from tidegate.workflows.repository.logs import log_item

_ATTEMPTS: Final = 5
OnLimit = Literal["queue", "reject", "ignore"]


class Executions(Protocol):
    """The executions of one tenant."""

    def create(
        self, execution: Execution, limit: int, on_limit: OnLimit, *, only_when_idle: bool = False
    ) -> Execution | None:
        """Store a new execution as running or queued; the stored one where it exists already.

        Raises NotFound, WorkflowInactive, ConcurrencyLimit; None where it must be idle and is not.
        A resumed execution claims the one it resumes: NotResumable where another one did.
        """

    def find(self, execution_id: str) -> Execution | None:
        """An execution, strongly consistent."""

    def get(self, execution_id: str) -> Execution:
        """As `find`. Raises NotFound."""

    def launched(self, execution: Execution, arn: str, now: datetime) -> None:
        """Note that the state machine was started."""

    def promote(self, execution: Execution, limit: int, now: datetime) -> bool:
        """Queued to running, if a slot is free; True when this call did it."""

    def end(
        self,
        execution: Execution,
        status: ExecutionStatus,
        now: datetime,
        *,
        output: Blob | None = None,
        error: StepProblem | None = None,
        log: LogEntry | None = None,
    ) -> bool:
        """Set a final status, exactly once; True when this call did it (E15)."""

    def queued(self, workflow_id: str, limit: int) -> list[str]:
        """Ids of queued executions, oldest first."""

    def open_ids(self) -> Iterator[str]:
        """Ids of the tenant's executions that have not ended."""

    def page(
        self,
        filters: ExecutionFilters,
        skip: int,
        limit: int,
        start: Mapping[str, Any] | None,
    ) -> tuple[list[Execution], int, dict[str, Any] | None]:
        """Newest first: the rows of a page, the total, and the key to go on from."""


class DynamoExecutions:
    """Executions on the table `workflows`."""

    def __init__(self, scope: TenantScope) -> None:
        self._scope = scope
        self._lists = ExecutionLists(scope)

    def page(
        self,
        filters: ExecutionFilters,
        skip: int,
        limit: int,
        start: Mapping[str, Any] | None,
    ) -> tuple[list[Execution], int, dict[str, Any] | None]:
        return self._lists.page(filters, skip, limit, start)

    # ---- create ----------------------------------------------------------------------------

    def create(
        self, execution: Execution, limit: int, on_limit: OnLimit, *, only_when_idle: bool = False
    ) -> Execution | None:
        free = None if on_limit == "ignore" else WorkflowItem.active < limit
        if only_when_idle:
            free = (WorkflowItem.active == 0) & (WorkflowItem.queued == 0)
        made = replace(execution, status="running")
        lost = self._create(made, free)
        if lost is None:
            return made
        known = self.find(execution.id)
        if known is not None:
            return known
        self._explain(execution, lost)
        if only_when_idle:
            return None
        if on_limit == "reject":
            raise ConcurrencyLimit
        made = replace(execution, status="queued")
        lost = self._create(made, None)
        if lost is None:
            return made
        known = self.find(execution.id)
        if known is not None:
            return known
        self._explain(execution, lost)
        raise ConcurrencyLimit

    def _explain(self, execution: Execution, lost: frozenset[str]) -> None:
        """Raise for what lost besides a full workflow."""
        if "resumed" in lost:
            raise NotResumable
        with store_errors():
            try:
                workflow = WorkflowItem.get(
                    self._scope.pk, workflow_sk(execution.workflow_id), consistent_read=True
                )
            except WorkflowItem.DoesNotExist:
                raise NotFound from None
        if not workflow.is_active:
            raise WorkflowInactive

    def _create(self, execution: Execution, free: Condition | None) -> frozenset[str] | None:
        """None when it was written, else the names of the conditions that lost."""
        now = execution.started_at
        writes = Transaction()
        writes.save(self._item(execution), ExecutionItem.pk.does_not_exist(), name="execution")
        writes.save(self._listing(execution))
        writes.save(self._open(execution))
        counter = WorkflowItem.queued if execution.status == "queued" else WorkflowItem.active
        living = WorkflowItem.pk.exists() & (WorkflowItem.is_active == True)  # noqa: E712
        writes.update(
            WorkflowItem(self._scope.pk, workflow_sk(execution.workflow_id)),
            [counter.add(1), WorkflowItem.last_execution.set(now)],
            living if free is None else living & free,
            name="workflow",
        )
        if execution.resumed_from is not None:
            writes.update(
                ExecutionItem(self._scope.pk, execution_sk(execution.resumed_from)),
                [ExecutionItem.resumed_by.set(execution.id), ExecutionItem.updated_at.set(now)],
                ExecutionItem.pk.exists() & ExecutionItem.resumed_by.does_not_exist(),
                name="resumed",
            )
        try:
            writes.commit()
        except ConditionFailed as lost:
            return lost.names
        return None

    def _item(self, execution: Execution) -> ExecutionItem:
        return ExecutionItem(
            self._scope.pk,
            execution_sk(execution.id),
            tenant_id=self._scope.tenant_id,
            id=execution.id,
            workflow_id=execution.workflow_id,
            workflow_version=execution.workflow_version,
            status=execution.status,
            trigger=execution.trigger,
            principal=execution.principal,
            started_at=execution.started_at,
            input=pack(execution.input),
            trigger_data=pack(execution.trigger_data),
            timeout_seconds=execution.timeout_seconds,
            resumed_from=execution.resumed_from,
            webhook_url=execution.webhook_url,
            request_id=execution.request_id,
            depth=execution.depth,
            parent=execution.parent,
            machine_execution_arn=execution.machine_execution_arn,
            expires=epoch(execution.started_at + EXECUTION_KEPT),
            created_at=execution.started_at,
            updated_at=execution.started_at,
        )

    def _listing(self, execution: Execution) -> ExecutionListingItem:
        place = place_of(execution.started_at, execution.id)
        return ExecutionListingItem(
            f"{self._scope.pk}#X",
            place,
            gsi1pk=workflow_pk(self._scope, execution.workflow_id),
            gsi1sk=place,
            execution_id=execution.id,
            workflow_id=execution.workflow_id,
            status=execution.status,
            expires=epoch(execution.started_at + EXECUTION_KEPT),
            created_at=execution.started_at,
            updated_at=execution.started_at,
        )

    def _open(self, execution: Execution) -> OpenItem:
        return OpenItem(
            f"{self._scope.pk}#OPEN",
            _open_sk(execution),
            execution_id=execution.id,
            workflow_id=execution.workflow_id,
            started_at=execution.started_at,
            created_at=execution.started_at,
            updated_at=execution.started_at,
        )

    # ---- read ------------------------------------------------------------------------------

    def find(self, execution_id: str) -> Execution | None:
        with store_errors():
            try:
                item = ExecutionItem.get(
                    self._scope.pk, execution_sk(execution_id), consistent_read=True
                )
            except ExecutionItem.DoesNotExist:
                return None
        return execution_of(item)

    def get(self, execution_id: str) -> Execution:
        found = self.find(execution_id)
        if found is None:
            raise NotFound
        return found

    def queued(self, workflow_id: str, limit: int) -> list[str]:
        with store_errors():
            items = OpenItem.query(
                f"{self._scope.pk}#OPEN",
                OpenItem.sk.startswith(f"{key(workflow_id, 'Q')}#"),
                consistent_read=True,
                limit=limit,
            )
            return [item.execution_id for item in items]

    def open_ids(self) -> Iterator[str]:
        with store_errors():
            for item in OpenItem.query(f"{self._scope.pk}#OPEN", consistent_read=True):
                yield item.execution_id

    # ---- change ----------------------------------------------------------------------------

    def launched(self, execution: Execution, arn: str, now: datetime) -> None:
        item = ExecutionItem(self._scope.pk, execution_sk(execution.id))
        try:
            with store_errors():
                item.update(
                    [
                        ExecutionItem.machine_execution_arn.set(arn),
                        ExecutionItem.launched_at.set(now),
                    ],
                    condition=ExecutionItem.pk.exists()
                    & ExecutionItem.machine_execution_arn.does_not_exist(),
                )
        except ConditionFailed:
            return  # noted by another call

    def promote(self, execution: Execution, limit: int, now: datetime) -> bool:
        running = replace(execution, status="running")
        writes = Transaction()
        writes.update(
            ExecutionItem(self._scope.pk, execution_sk(execution.id)),
            [ExecutionItem.status.set("running"), ExecutionItem.updated_at.set(now)],
            ExecutionItem.status == "queued",
            name="execution",
        )
        self._list_as(writes, execution, "running", now)
        open_pk = f"{self._scope.pk}#OPEN"
        writes.delete(OpenItem(open_pk, _open_sk(execution)))
        writes.save(self._open(running))
        writes.update(
            WorkflowItem(self._scope.pk, workflow_sk(execution.workflow_id)),
            [WorkflowItem.queued.add(-1), WorkflowItem.active.add(1)],
            WorkflowItem.pk.exists() & (WorkflowItem.active < limit),
            name="workflow",
        )
        try:
            writes.commit()
        except ConditionFailed:
            return False
        return True

    def _list_as(
        self, writes: Transaction, execution: Execution, status: str, now: datetime
    ) -> None:
        place = place_of(execution.started_at, execution.id)
        writes.update(
            ExecutionListingItem(f"{self._scope.pk}#X", place),
            [ExecutionListingItem.status.set(status), ExecutionListingItem.updated_at.set(now)],
            ExecutionListingItem.pk.exists(),
            name="listing",
        )

    def add_parked(
        self, writes: Transaction, execution: Execution, delta: int, now: datetime
    ) -> None:
        """Count a step that waits (+1) or goes on (-1); the status follows.

        The transaction loses "execution" where it has ended or was counted meanwhile.
        """
        parked = execution.parked + delta
        status = "waiting" if parked > 0 else "running"
        writes.update(
            ExecutionItem(self._scope.pk, execution_sk(execution.id)),
            [
                ExecutionItem.parked.set(parked),
                ExecutionItem.status.set(status),
                ExecutionItem.updated_at.set(now),
            ],
            (ExecutionItem.parked == execution.parked)
            & ExecutionItem.status.is_in("running", "waiting"),
            name="execution",
        )
        if status != execution.status:
            self._list_as(writes, execution, status, now)

    def end(
        self,
        execution: Execution,
        status: ExecutionStatus,
        now: datetime,
        *,
        output: Blob | None = None,
        error: StepProblem | None = None,
        log: LogEntry | None = None,
    ) -> bool:
        for _ in range(_ATTEMPTS):
            for counted in (True, False):
                writes = Transaction()
                self._add_end(writes, execution, status, now, output, error)
                if counted:
                    self._count_end(writes, execution, status, now)
                if log is not None:
                    writes.save(log_item(self._scope, log))
                try:
                    writes.commit()
                    return True
                except ConditionFailed as lost:
                    # A deleted workflow has no counters; its executions end all the same (E14).
                    if lost.names != {"workflow"}:
                        break
            execution = self.get(execution.id)
            if execution.ended:
                return False
        raise Conflict(log=f"execution {execution.id} changes all the time")

    def _add_end(
        self,
        writes: Transaction,
        execution: Execution,
        status: str,
        now: datetime,
        output: Blob | None,
        error: StepProblem | None,
    ) -> None:
        actions = [
            ExecutionItem.status.set(status),
            ExecutionItem.completed_at.set(now),
            ExecutionItem.updated_at.set(now),
        ]
        if output is not None:
            actions.append(ExecutionItem.output.set(pack(output)))
        if error is not None:
            actions.append(ExecutionItem.error.set(error.as_dict()))
        item = ExecutionItem(self._scope.pk, execution_sk(execution.id))
        writes.update(item, actions, _unfinished(execution), name="execution")
        self._list_as(writes, execution, status, now)
        writes.delete(OpenItem(f"{self._scope.pk}#OPEN", _open_sk(execution)))

    def _count_end(
        self, writes: Transaction, execution: Execution, status: str, now: datetime
    ) -> None:
        micros = max(0, round((now - execution.started_at).total_seconds() * 1e6))
        slot = WorkflowItem.queued if execution.status == "queued" else WorkflowItem.active
        result = WorkflowItem.successful if status == "completed" else WorkflowItem.failed
        writes.update(
            WorkflowItem(self._scope.pk, workflow_sk(execution.workflow_id)),
            [slot.add(-1), result.add(1), WorkflowItem.ended_micros.add(micros)],
            WorkflowItem.pk.exists(),
            name="workflow",
        )


def _unfinished(execution: Execution) -> Condition:
    """Still as it was read: queued, or on its way. A second end finds it ended (E15)."""
    if execution.status == "queued":
        return ExecutionItem.status == "queued"
    return ExecutionItem.status.is_in("running", "waiting")


def _open_sk(execution: Execution) -> str:
    if execution.status == "queued":
        at = time_key(execution.started_at)
        return key(execution.workflow_id, "Q", at, execution.id)
    return key(execution.workflow_id, "R", execution.id)


__all__ = [
    "DynamoExecutions",
    "ExecutionFilters",
    "Executions",
    "OnLimit",
    "execution_of",
    "problem_of",
]
