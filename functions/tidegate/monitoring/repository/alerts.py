"""What an operator should look at: the health last told, and open alerts (EVT-6, MON)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from tidegate_kit.dynamo import ConditionFailed, batch_get, scoped_store, store_errors

from tidegate.monitoring.models import (
    ALERTS_PK,
    MARKER_PK,
    STATE_SK,
    AlertItem,
    HealthStateItem,
)


@dataclass(frozen=True)
class Told:
    """A state of health: `change` numbers the changes, `told` is the last one that was told."""

    status: str
    message: str
    change: int
    told: int


@dataclass(frozen=True)
class Alert:
    """An open alert."""

    name: str
    severity: str
    message: str
    since: datetime
    data: Mapping[str, Any]


class Alerts(Protocol):
    """Health as told, and open alerts."""

    def health(self) -> Told | None:
        """The state as stored."""

    def change(self, before: Told | None, status: str, message: str, now: datetime) -> Told | None:
        """Write a new state over the one read; None where another worker was faster."""

    def mark_told(self, change: int, now: datetime) -> None:
        """Note that everybody heard of a change."""

    def open(self, alert: Alert) -> None:
        """Open an alert, or renew its text; since when it is open stays."""

    def close(self, name: str) -> None:
        """Close an alert; an unknown one too."""

    def all(self) -> list[Alert]:
        """Every open alert."""


class GlobalAlerts:
    """Alerts on the platform table."""

    def health(self) -> Told | None:
        with scoped_store(None):
            (found,) = batch_get([(HealthStateItem, MARKER_PK, STATE_SK)])
        if found is None:
            return None
        return Told(found.status, found.message, int(found.change), int(found.told))

    def change(self, before: Told | None, status: str, message: str, now: datetime) -> Told | None:
        number = 1 if before is None else before.change + 1
        # The first state is no change: nobody was told anything else before.
        told = number if before is None else before.told
        item = HealthStateItem(
            MARKER_PK, STATE_SK, status=status, message=message, change=number, told=told,
            created_at=now, updated_at=now,
        )  # fmt: skip
        as_read: Any = HealthStateItem.pk.does_not_exist()
        if before is not None:
            as_read = HealthStateItem.change == before.change
        try:
            with scoped_store(None), store_errors():
                item.save(condition=as_read)
        except ConditionFailed:
            return None
        return Told(status, message, number, told)

    def mark_told(self, change: int, now: datetime) -> None:
        try:
            with scoped_store(None), store_errors():
                HealthStateItem(MARKER_PK, STATE_SK).update(
                    actions=[HealthStateItem.told.set(change), HealthStateItem.updated_at.set(now)],
                    condition=HealthStateItem.change == change,
                )
        except ConditionFailed:
            return  # it has changed again; that change is told by whoever found it

    def open(self, alert: Alert) -> None:
        with scoped_store(None), store_errors():
            AlertItem(ALERTS_PK, alert.name).update(
                actions=[
                    AlertItem.severity.set(alert.severity),
                    AlertItem.message.set(alert.message),
                    AlertItem.data.set(dict(alert.data)),
                    AlertItem.schema_version.set(1),
                    AlertItem.created_at.set(AlertItem.created_at | alert.since),
                    AlertItem.updated_at.set(alert.since),
                ]
            )

    def close(self, name: str) -> None:
        with scoped_store(None), store_errors():
            AlertItem(ALERTS_PK, name).delete()

    def all(self) -> list[Alert]:
        with scoped_store(None), store_errors():
            rows = list(AlertItem.query(ALERTS_PK, consistent_read=True))
        return [
            Alert(row.sk, row.severity, row.message, row.created_at, row.data or {}) for row in rows
        ]
