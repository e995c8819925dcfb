"""Keys and single reads that the parts of the repository share."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar

from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action
from tidegate_kit.dynamo import ConditionFailed, Table, Transaction, store_errors
from tidegate_kit.tenancy import TenantScope, key

from tidegate.discovery.domain import Run
from tidegate.discovery.errors import Superseded
from tidegate.discovery.models import AccountItem, RunItem

Item = TypeVar("Item", bound=Table)
MAX_WRITES = 90  # of the 100 that a transaction takes


class Base:
    """One tenant's part of the table."""

    def __init__(self, scope: TenantScope) -> None:
        self._scope = scope

    def _get(self, model: type[Item], pk: str, sk: str) -> Item | None:
        with store_errors():
            try:
                return model.get(pk, sk, consistent_read=True)
            except model.DoesNotExist:
                return None

    def _account_key(self, account_id: str) -> AccountItem:
        return AccountItem(self._scope.pk, key("INV", "A", account_id))

    @staticmethod
    def _account_stamp(account_id: str, generation: int, now: datetime) -> list[Action]:
        return [
            AccountItem.account_id.set(account_id),
            AccountItem.generation.set(generation),
            AccountItem.schema_version.set(1),
            AccountItem.created_at.set(AccountItem.created_at | now),
            AccountItem.updated_at.set(now),
        ]

    def _update_run(
        self, run: Run, actions: Sequence[Action], condition: Condition, now: datetime
    ) -> bool:
        """Update the run's item; False when the condition does not hold."""
        item = RunItem(self._scope.pk, key("RUN", run.id))
        try:
            with store_errors():
                item.update([*actions, RunItem.updated_at.set(now)], condition=condition)
        except ConditionFailed:
            return False
        return True

    @staticmethod
    def _commit(tx: Transaction) -> None:
        try:
            tx.commit()
        except ConditionFailed as lost:
            raise Superseded from lost
