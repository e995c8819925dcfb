"""The logs of executions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from pynamodb.expressions.condition import Condition
from tidegate_kit.clock import epoch
from tidegate_kit.dynamo import batch_write, store_errors
from tidegate_kit.errors import NotFound
from tidegate_kit.tenancy import TenantScope, key

from tidegate.workflows.domain import LOG_KEPT, LogEntry, LogLevel
from tidegate.workflows.models import LogItem
from tidegate.workflows.repository.keys import place_of, time_key
from tidegate.workflows.repository.paging import page_of


@dataclass(frozen=True)
class LogFilters:
    """Which lines a list holds; `q` is looked for in the message, case ignored."""

    workflow_id: str | None = None
    execution_id: str | None = None
    step_id: str | None = None
    level: LogLevel | None = None
    from_: datetime | None = None
    to: datetime | None = None
    q: str | None = None


class Logs(Protocol):
    """The log lines of one tenant."""

    def write(self, *entries: LogEntry) -> None:
        """Store lines."""

    def get(self, log_id: str) -> LogEntry:
        """A line. Raises NotFound."""

    def page(
        self, filters: LogFilters, skip: int, limit: int, start: Mapping[str, Any] | None
    ) -> tuple[list[LogEntry], int, dict[str, Any] | None]:
        """Newest first: the rows of a page, the total, and the key to go on from."""


class DynamoLogs:
    """Logs on the table `workflows`."""

    def __init__(self, scope: TenantScope) -> None:
        self._scope = scope

    def write(self, *entries: LogEntry) -> None:
        batch_write([log_item(self._scope, entry) for entry in entries])

    def get(self, log_id: str) -> LogEntry:
        with store_errors():
            try:
                return entry_of(
                    LogItem.get(self._scope.pk, key("LOG", log_id), consistent_read=True)
                )
            except LogItem.DoesNotExist:
                raise NotFound from None

    def page(
        self, filters: LogFilters, skip: int, limit: int, start: Mapping[str, Any] | None
    ) -> tuple[list[LogEntry], int, dict[str, Any] | None]:
        rows, more = page_of(
            self._newest(filters, None if start is None else str(start["at"])), skip, limit
        )
        next_key = {"at": rows[-1].gsi1sk} if more else None
        return [entry_of(row) for row in rows], self._total(filters), next_key

    def _newest(self, filters: LogFilters, below: str | None) -> Iterator[LogItem]:
        with store_errors():
            for item in LogItem.by_time.query(
                f"{self._scope.pk}#L",
                _range(filters, below),
                _condition(filters),
                scan_index_forward=False,
            ):
                if item.gsi1sk != below:
                    yield item

    def _total(self, filters: LogFilters) -> int:
        with store_errors():
            return int(
                LogItem.by_time.count(
                    f"{self._scope.pk}#L", _range(filters, None), _condition(filters)
                )
            )


def _range(filters: LogFilters, below: str | None) -> Condition:
    low = "0" if filters.from_ is None else time_key(filters.from_)
    high = "~" if filters.to is None else f"{time_key(filters.to)}~"
    high = high if below is None else min(high, below)
    return LogItem.gsi1sk.between(low, max(low, high))


def _condition(filters: LogFilters) -> Condition | None:
    conditions: list[Condition] = [
        attribute == value
        for attribute, value in (
            (LogItem.workflow_id, filters.workflow_id),
            (LogItem.execution_id, filters.execution_id),
            (LogItem.step_id, filters.step_id),
            (LogItem.level, filters.level),
        )
        if value is not None
    ]
    if filters.q:
        conditions.append(LogItem.search.contains(filters.q.casefold()))
    joined: Condition | None = None
    for condition in conditions:
        joined = condition if joined is None else joined & condition
    return joined


def log_item(scope: TenantScope, entry: LogEntry) -> LogItem:
    """The stored form of a line."""
    return LogItem(
        scope.pk,
        key("LOG", entry.id),
        gsi1pk=f"{scope.pk}#L",
        gsi1sk=place_of(entry.timestamp, entry.id),
        id=entry.id,
        timestamp=entry.timestamp,
        level=entry.level,
        workflow_id=entry.workflow_id,
        execution_id=entry.execution_id,
        step_id=entry.step_id,
        message=entry.message,
        search=entry.message.casefold(),
        data=dict(entry.data),
        request_id=entry.request_id,
        expires=epoch(entry.timestamp + LOG_KEPT),
        created_at=entry.timestamp,
        updated_at=entry.timestamp,
    )


def entry_of(item: LogItem) -> LogEntry:
    """The domain object of a stored line."""
    level: Any = item.level
    return LogEntry(
        id=item.id,
        timestamp=item.timestamp,
        level=level,
        workflow_id=item.workflow_id,
        execution_id=item.execution_id,
        message=item.message,
        step_id=item.step_id,
        data=dict(item.data),
        request_id=item.request_id,
    )
