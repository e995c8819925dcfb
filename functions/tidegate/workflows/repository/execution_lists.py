"""Executions by time: lists of a tenant and of one workflow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pynamodb.expressions.condition import Condition
from tidegate_kit.dynamo import batch_get, store_errors
from tidegate_kit.tenancy import TenantScope

from tidegate.workflows.domain import Execution, ExecutionStatus, StepProblem
from tidegate.workflows.models import ExecutionItem, ExecutionListingItem
from tidegate.workflows.repository.blobs import required, unpack
from tidegate.workflows.repository.keys import execution_sk, time_key, workflow_pk
from tidegate.workflows.repository.paging import page_of


@dataclass(frozen=True)
class ExecutionFilters:
    """Which executions a list holds; times bound the start, both inclusive."""

    workflow_id: str | None = None
    status: ExecutionStatus | None = None
    from_: datetime | None = None
    to: datetime | None = None


class ExecutionLists:
    """The lists of one tenant's executions."""

    def __init__(self, scope: TenantScope) -> None:
        self._scope = scope

    def page(
        self,
        filters: ExecutionFilters,
        skip: int,
        limit: int,
        start: Mapping[str, Any] | None,
    ) -> tuple[list[Execution], int, dict[str, Any] | None]:
        """Newest first: the rows of a page, the total, and the key to go on from."""
        below = None if start is None else str(start["at"])
        rows, more = page_of(
            (row for row in self._listings(filters, below) if row.sk != below), skip, limit
        )
        next_key = {"at": rows[-1].sk} if more else None
        return self._whole(rows), self._total(filters), next_key

    def _whole(self, rows: list[ExecutionListingItem]) -> list[Execution]:
        if not rows:
            return []
        wanted = [(ExecutionItem, self._scope.pk, execution_sk(row.execution_id)) for row in rows]
        return [execution_of(item) for item in batch_get(wanted) if item is not None]

    def _listings(
        self, filters: ExecutionFilters, below: str | None
    ) -> Iterator[ExecutionListingItem]:
        condition = _status(filters)
        with store_errors():
            if filters.workflow_id is None:
                sk = ExecutionListingItem.sk
                yield from ExecutionListingItem.query(
                    f"{self._scope.pk}#X",
                    _range(sk, filters, below),
                    condition,
                    scan_index_forward=False,
                    consistent_read=True,
                )
            else:
                yield from ExecutionListingItem.by_workflow.query(
                    workflow_pk(self._scope, filters.workflow_id),
                    _range(ExecutionListingItem.gsi1sk, filters, below),
                    condition,
                    scan_index_forward=False,
                )

    def _total(self, filters: ExecutionFilters) -> int:
        condition = _status(filters)
        with store_errors():
            if filters.workflow_id is None:
                sk = ExecutionListingItem.sk
                return int(
                    ExecutionListingItem.count(
                        f"{self._scope.pk}#X", _range(sk, filters, None), condition
                    )
                )
            return int(
                ExecutionListingItem.by_workflow.count(
                    workflow_pk(self._scope, filters.workflow_id),
                    _range(ExecutionListingItem.gsi1sk, filters, None),
                    condition,
                )
            )


def _status(filters: ExecutionFilters) -> Condition | None:
    return None if filters.status is None else ExecutionListingItem.status == filters.status


def _range(attribute: Any, filters: ExecutionFilters, below: str | None) -> Condition:
    """Places within the times, at most down from the last row seen."""
    low = "0" if filters.from_ is None else time_key(filters.from_)
    high = "~" if filters.to is None else f"{time_key(filters.to)}~"
    if below is not None:
        high = min(high, below)  # the row itself is left out by whoever reads
    condition: Condition = attribute.between(low, max(low, high))
    return condition


def problem_of(stored: Any) -> StepProblem | None:
    """The error of a stored item."""
    return None if stored is None else StepProblem(**stored)


def execution_of(item: ExecutionItem) -> Execution:
    """The domain object of a stored execution."""
    status: Any = item.status
    trigger: Any = item.trigger
    return Execution(
        id=item.id,
        workflow_id=item.workflow_id,
        workflow_version=int(item.workflow_version),
        status=status,
        trigger=trigger,
        principal=item.principal,
        started_at=item.started_at,
        input=required(item.input),
        timeout_seconds=int(item.timeout_seconds),
        trigger_data=unpack(item.trigger_data),
        completed_at=item.completed_at,
        output=unpack(item.output),
        error=problem_of(item.error),
        resumed_from=item.resumed_from,
        webhook_url=item.webhook_url,
        request_id=item.request_id,
        depth=int(item.depth),
        parent=item.parent,
        parked=int(item.parked),
        machine_execution_arn=item.machine_execution_arn,
        launched_at=item.launched_at,
    )
