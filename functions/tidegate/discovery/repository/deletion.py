"""The disconnect: rows out of reach at once, then deleted in steps."""

from __future__ import annotations

import contextlib
from datetime import datetime

from tidegate_kit.dynamo import ConditionFailed, batch_delete, store_errors

from tidegate.discovery.domain import AccountState
from tidegate.discovery.models import (
    AccountItem,
    CountItem,
    LatestItem,
    ResourceItem,
    RunItem,
    UnitItem,
)
from tidegate.discovery.repository import records
from tidegate.discovery.repository.runs import RunStore


class DeletionStore(RunStore):
    """Generations that ended."""

    def hide(self, account_id: str, now: datetime) -> AccountState:
        state = self.account(account_id)
        with contextlib.suppress(ConditionFailed), store_errors():
            # Losing the condition means that someone else has hidden it meanwhile.
            self._account_key(account_id).update(
                [
                    AccountItem.running_run_id.remove(),
                    AccountItem.running_until.remove(),
                    AccountItem.last_run_id.remove(),
                    AccountItem.last_snapshot.remove(),
                    *self._account_stamp(account_id, state.generation + 1, now),
                ],
                condition=(AccountItem.generation == state.generation)
                | AccountItem.pk.does_not_exist(),
            )
        return self.account(account_id)

    def delete_some(self, account_id: str, limit: int) -> int:
        present = self.account(account_id).generation
        runs = self._old_runs(account_id, present)
        # Checkpoints first: a page still on its way then loses its condition and writes nothing.
        for run in runs:
            keys = self._keys(UnitItem, records.run_pk(self._scope, run.id), "", limit)
            if keys:
                return batch_delete(UnitItem, keys)
        for generation in range(present):
            pk = records.rows_pk(self._scope, account_id, generation)
            keys = self._keys(ResourceItem, pk, "RES#", limit)
            if keys:
                return batch_delete(ResourceItem, keys)
        keys = [
            *self._old_counts(account_id, present),
            *((run.pk, run.sk) for run in runs),
            *self._latest_of(runs),
        ]
        return batch_delete(RunItem, keys[:limit]) if keys else 0

    def _old_runs(self, account_id: str, present: int) -> list[RunItem]:
        with store_errors():
            return list(
                RunItem.query(
                    self._scope.pk,
                    RunItem.sk.startswith("RUN#"),
                    (RunItem.account_id == account_id) & (RunItem.generation < present),
                    consistent_read=True,
                )
            )

    def _old_counts(self, account_id: str, present: int) -> list[tuple[str, str]]:
        with store_errors():
            items = CountItem.query(
                self._scope.pk,
                CountItem.sk.startswith(f"INV#C#{account_id}#"),
                CountItem.generation < present,
                consistent_read=True,
            )
            return [(item.pk, item.sk) for item in items]

    def _latest_of(self, runs: list[RunItem]) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        for run in runs:
            item = self._get(LatestItem, self._scope.pk, f"LATEST#{run.onboarding_id}")
            if item is not None and item.run_id == run.id:
                found.append((item.pk, item.sk))
        return list(dict.fromkeys(found))

    @staticmethod
    def _keys(
        model: type[UnitItem] | type[ResourceItem], pk: str, prefix: str, limit: int
    ) -> list[tuple[str, str]]:
        condition = model.sk.startswith(prefix) if prefix else None
        with store_errors():
            items = model.query(
                pk,
                condition,
                consistent_read=True,
                limit=limit,
                attributes_to_get=["pk", "sk"],
            )
            return [(item.pk, item.sk) for item in items]
