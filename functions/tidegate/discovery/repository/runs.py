"""Runs and the units they are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from pynamodb.expressions.update import Action
from tidegate_kit.dynamo import ConditionFailed, Transaction, store_errors
from tidegate_kit.tenancy import key

from tidegate.discovery.domain import AccountState, Run, Unit
from tidegate.discovery.errors import DiscoveryRunning
from tidegate.discovery.models import AccountItem, LatestItem, RunItem, UnitItem
from tidegate.discovery.repository import records
from tidegate.discovery.repository.base import MAX_WRITES, Base


class RunStore(Base):
    """Runs, units, the account's state."""

    def begin(self, run: Run, now: datetime) -> Run:
        known = self.run(run.id)
        if known is not None:
            return known
        state = self.account(run.account_id)
        run = replace(run, generation=state.generation)
        free = (
            AccountItem.running_run_id.does_not_exist()
            | (AccountItem.running_until <= now)
            | (AccountItem.running_run_id == run.id)
        )
        same = (AccountItem.generation == state.generation) | AccountItem.pk.does_not_exist()
        tx = Transaction()
        tx.save(records.run_item(self._scope, run, now), RunItem.pk.does_not_exist(), name="run")
        tx.update(
            self._account_key(run.account_id),
            [
                AccountItem.running_run_id.set(run.id),
                AccountItem.running_until.set(run.deadline_at),
                *self._account_stamp(run.account_id, state.generation, now),
            ],
            free & same,
            name="account",
        )
        tx.save(
            LatestItem(
                self._scope.pk,
                key("LATEST", run.onboarding_id),
                run_id=run.id,
                created_at=now,
                updated_at=now,
            )
        )
        try:
            tx.commit()
        except ConditionFailed as lost:
            known = self.run(run.id)
            if known is not None:
                return known
            raise DiscoveryRunning from lost
        return run

    def run(self, run_id: str) -> Run | None:
        item = self._get(RunItem, self._scope.pk, key("RUN", run_id))
        return None if item is None else records.run_of(item)

    def latest(self, onboarding_id: str) -> Run | None:
        item = self._get(LatestItem, self._scope.pk, key("LATEST", onboarding_id))
        return None if item is None else self.run(item.run_id)

    def recorded_runs(self, account_id: str) -> list[Run]:
        with store_errors():
            items = list(
                RunItem.query(
                    self._scope.pk,
                    RunItem.sk.startswith("RUN#"),
                    (RunItem.account_id == account_id) & RunItem.snapshot.exists(),
                    consistent_read=True,
                )
            )
        return [records.run_of(item) for item in items]

    def account(self, account_id: str) -> AccountState:
        item = self._get(AccountItem, self._scope.pk, key("INV", "A", account_id))
        return records.account_of(account_id, item)

    def mark_access_lost(self, run: Run, now: datetime) -> None:
        self._update_run(
            run,
            [RunItem.access_lost_at.set(now)],
            (RunItem.status == "running") & RunItem.access_lost_at.does_not_exist(),
            now,
        )

    def complete(self, run: Run, now: datetime) -> bool:
        # Together: a run that is over and still holds its account would block the next one.
        return self._complete(run, now, holding=True) or self._complete(run, now, holding=False)

    def _complete(self, run: Run, now: datetime, *, holding: bool) -> bool:
        tx = Transaction()
        tx.save(records.run_item(self._scope, run, now), RunItem.status == "running")
        account = self._account_key(run.account_id)
        mine = AccountItem.running_run_id == run.id
        if holding:
            tx.update(account, self._released(run, now), mine)
        else:
            # A newer run, or a disconnect, has taken the account over: it stays as it is.
            taken = (AccountItem.running_run_id != run.id) | (
                AccountItem.running_run_id.does_not_exist()
            )
            tx.check(AccountItem, account.pk, account.sk, taken)
        try:
            tx.commit()
        except ConditionFailed:
            return False
        return True

    @staticmethod
    def _released(run: Run, now: datetime) -> list[Action]:
        actions: list[Action] = [
            AccountItem.running_run_id.remove(),
            AccountItem.running_until.remove(),
            AccountItem.last_run_id.set(run.id),
            AccountItem.updated_at.set(now),
        ]
        if run.snapshot is not None:
            actions.append(AccountItem.last_snapshot.set(run.snapshot))
        return actions

    def plan(self, run: Run, units: Sequence[Unit], now: datetime) -> list[Unit]:
        stored = {unit.key for unit in self.units(run.id)}
        missing = [unit for unit in units if unit.key not in stored]
        for start in range(0, len(missing), MAX_WRITES):
            tx = Transaction()
            for unit in missing[start : start + MAX_WRITES]:
                tx.save(
                    records.unit_item(self._scope, run, unit, now), UnitItem.pk.does_not_exist()
                )
            self._commit(tx)
        self._update_run(run, [RunItem.planned.set(True)], RunItem.status == "running", now)
        return self.units(run.id)

    def units(self, run_id: str) -> list[Unit]:
        with store_errors():
            items = list(
                UnitItem.query(
                    records.run_pk(self._scope, run_id),
                    UnitItem.sk.startswith("UNIT#"),
                    consistent_read=True,
                )
            )
        return [records.unit_of(item) for item in items]

    def unit(self, run_id: str, unit_key: str) -> Unit | None:
        item = self._get(UnitItem, records.run_pk(self._scope, run_id), records.unit_sk(unit_key))
        return None if item is None else records.unit_of(item)
