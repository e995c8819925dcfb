"""Exceptions, thresholds and refreshes on DynamoDB."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from pynamodb.expressions.update import Action
from tidegate_kit.clock import epoch
from tidegate_kit.dynamo import ConditionFailed, Transaction, store_errors
from tidegate_kit.errors import NotFound
from tidegate_kit.tenancy import TenantScope, key

from tidegate.findings.domain import Change, FindingException, Refresh
from tidegate.findings.errors import ChangedMeanwhile, ExceptionExists, RefreshRunning
from tidegate.findings.models import ExceptionItem, LeaseItem, RefreshItem, ThresholdsItem
from tidegate.findings.repository import records
from tidegate.findings.repository.findings import FindingRows
from tidegate.findings.repository.ports import Thresholds

_KEEP_REFRESHES = timedelta(days=90)
_LEASE = "REFRESHLEASE"
_THRESHOLDS = "THRESHOLDS"


class DynamoExceptions:
    """ExceptionStore."""

    def __init__(self, scope: TenantScope, findings: FindingRows) -> None:
        self._scope = scope
        self._findings = findings

    def all(self) -> list[FindingException]:
        with store_errors():
            items = list(
                ExceptionItem.query(
                    self._scope.pk,
                    ExceptionItem.sk.startswith("EXCEPTION#"),
                    consistent_read=True,
                )
            )
        found = [records.exception_of(item) for item in items]
        return sorted(found, key=lambda one: (one.created_at, one.id), reverse=True)

    def exception(self, exception_id: str) -> FindingException | None:
        with store_errors():
            try:
                item = ExceptionItem.get(
                    self._scope.pk, key("EXCEPTION", exception_id), consistent_read=True
                )
            except ExceptionItem.DoesNotExist:
                return None
        return records.exception_of(item)

    def add(self, exception: FindingException, change: Change | None, now: datetime) -> None:
        transaction = Transaction()
        transaction.save(
            records.exception_item(self._scope, exception, now),
            ExceptionItem.pk.does_not_exist() | (ExceptionItem.expires_at <= now),
            name="exception",
        )
        self._commit(transaction, change, now)

    def remove(self, exception_id: str, change: Change | None, now: datetime) -> None:
        transaction = Transaction()
        transaction.delete(
            ExceptionItem(self._scope.pk, key("EXCEPTION", exception_id)),
            ExceptionItem.pk.exists(),
            name="gone",
        )
        self._commit(transaction, change, now)

    def _commit(self, transaction: Transaction, change: Change | None, now: datetime) -> None:
        if change is not None:
            self._findings.add_changes(transaction, [change], now)
        try:
            transaction.commit()
        except ConditionFailed as lost:
            if "exception" in lost.names:
                raise ExceptionExists from lost
            if "gone" in lost.names:
                raise NotFound from lost
            raise ChangedMeanwhile from lost

    def thresholds(self) -> tuple[Thresholds, int]:
        with store_errors():
            try:
                item = ThresholdsItem.get(self._scope.pk, _THRESHOLDS, consistent_read=True)
            except ThresholdsItem.DoesNotExist:
                return {}, 0
        checks = {
            check_id: {name: Decimal(value) for name, value in values.items()}
            for check_id, values in item.checks.items()
        }
        return checks, int(item.version)

    def set_thresholds(self, checks: Thresholds, version: int, now: datetime) -> None:
        item = ThresholdsItem(
            self._scope.pk,
            _THRESHOLDS,
            checks={
                check_id: {name: str(value) for name, value in values.items()}
                for check_id, values in checks.items()
            },
            version=version + 1,
            created_at=now,
            updated_at=now,
        )
        same = (
            ThresholdsItem.pk.does_not_exist()
            if version == 0
            else ThresholdsItem.version == version
        )
        try:
            with store_errors():
                item.save(same)
        except ConditionFailed as lost:
            raise ChangedMeanwhile from lost


class DynamoRefreshes:
    """RefreshStore."""

    def __init__(self, scope: TenantScope) -> None:
        self._scope = scope

    def begin(self, refresh: Refresh, now: datetime, *, exclusive: bool) -> Refresh:
        known = self.refresh(refresh.id)
        if known is not None:
            return known
        transaction = Transaction()
        transaction.save(self._item(refresh, now), RefreshItem.pk.does_not_exist(), name="refresh")
        if exclusive:
            transaction.save(
                LeaseItem(
                    self._scope.pk,
                    _LEASE,
                    refresh_id=refresh.id,
                    until=refresh.deadline_at,
                    created_at=now,
                    updated_at=now,
                ),
                LeaseItem.pk.does_not_exist() | (LeaseItem.until <= now),
                name="lease",
            )
        try:
            transaction.commit()
        except ConditionFailed as lost:
            known = self.refresh(refresh.id)
            if known is not None:
                return known
            raise RefreshRunning from lost
        return refresh

    def refresh(self, refresh_id: str) -> Refresh | None:
        with store_errors():
            try:
                item = RefreshItem.get(
                    self._scope.pk, key("REFRESH", refresh_id), consistent_read=True
                )
            except RefreshItem.DoesNotExist:
                return None
        return records.refresh_of(item)

    def running(self, now: datetime) -> Refresh | None:
        with store_errors():
            try:
                lease = LeaseItem.get(self._scope.pk, _LEASE, consistent_read=True)
            except LeaseItem.DoesNotExist:
                return None
        return self.refresh(lease.refresh_id) if lease.until > now else None

    def fail_account(self, refresh_id: str, account_id: str, reason: str, now: datetime) -> None:
        actions: list[Action] = [
            RefreshItem.failures[account_id].set(reason),  # type: ignore[attr-defined]
            RefreshItem.updated_at.set(now),
        ]
        with store_errors():
            RefreshItem(self._scope.pk, key("REFRESH", refresh_id)).update(
                actions, condition=RefreshItem.pk.exists()
            )

    def finish(self, refresh_id: str, status: str, now: datetime) -> None:
        item = RefreshItem(self._scope.pk, key("REFRESH", refresh_id))
        actions: list[Action] = [
            RefreshItem.status.set(status),
            RefreshItem.completed_at.set(now),
            RefreshItem.updated_at.set(now),
        ]
        try:
            with store_errors():
                item.update(actions, condition=RefreshItem.status == "running")
        except ConditionFailed:
            pass  # closed before: only its lease may be left
        try:
            with store_errors():
                LeaseItem(self._scope.pk, _LEASE).delete(LeaseItem.refresh_id == refresh_id)
        except ConditionFailed:
            return  # given back before, or another's

    def _item(self, refresh: Refresh, now: datetime) -> RefreshItem:
        return RefreshItem(
            self._scope.pk,
            key("REFRESH", refresh.id),
            id=refresh.id,
            status=refresh.status,
            trigger=refresh.trigger,
            account_ids=list(refresh.account_ids),
            check_ids=list(refresh.check_ids),
            started_at=refresh.started_at,
            deadline_at=refresh.deadline_at,
            completed_at=refresh.completed_at,
            failures=dict(refresh.failures),
            expires=epoch(refresh.started_at + _KEEP_REFRESHES),
            created_at=refresh.started_at,
            updated_at=now,
        )
