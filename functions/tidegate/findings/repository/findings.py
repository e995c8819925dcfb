"""Findings, pointers, counts and states on DynamoDB."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime

from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action
from tidegate_kit.dynamo import ConditionFailed, Transaction, batch_get, store_errors
from tidegate_kit.errors import NotFound
from tidegate_kit.tenancy import TenantScope, key

from tidegate.findings.domain import (
    Change,
    Count,
    Finding,
    FindingFilters,
    Group,
    RegionStates,
    Status,
)
from tidegate.findings.errors import ChangedMeanwhile, FindingInPlan
from tidegate.findings.exceptions import seen
from tidegate.findings.models import CountItem, FindingItem, PointerItem, StatesItem
from tidegate.findings.overlap import Cluster
from tidegate.findings.repository import overlaps, records
from tidegate.findings.repository.ports import Living, Place

_BATCH = 25  # findings of one transaction: at most 4 writes each


class FindingRows:
    """FindingStore but for deletions."""

    def __init__(self, scope: TenantScope, living: Living) -> None:
        self._scope = scope
        self._living = living

    def get(self, finding_id: str) -> Finding | None:
        return self.get_many([finding_id]).get(finding_id)

    def get_many(self, ids: Sequence[str]) -> dict[str, Finding]:
        found = self.stored(ids)
        accounts = {finding.account_id for finding in found.values()}
        present = {account: self._living.one(account) for account in accounts}
        return {id_: f for id_, f in found.items() if f.generation == present[f.account_id]}

    def stored(self, ids: Sequence[str]) -> dict[str, Finding]:
        wanted = [(FindingItem, self._scope.pk, key("FINDING", id_)) for id_ in dict.fromkeys(ids)]
        return {item.id: records.finding_of(item) for item in batch_get(wanted) if item is not None}

    def mark_planned(
        self,
        transaction: Transaction,
        finding_id: str,
        plan_id: str,
        now: datetime,
        *,
        fingerprint: str | None = None,
    ) -> None:
        finding = self.get(finding_id)
        if finding is None:
            raise NotFound
        changed = fingerprint not in (None, finding.fingerprint)
        if seen(finding, now).status != "open" or changed:
            raise FindingInPlan
        actions = [FindingItem.plan_id.set(plan_id), FindingItem.mark.remove()]
        self._move(transaction, finding, "planned", actions, now)

    def release(
        self, transaction: Transaction, finding_id: str, plan_id: str, now: datetime
    ) -> None:
        finding = self.stored([finding_id]).get(finding_id)
        if finding is None or finding.status != "planned" or finding.plan_id != plan_id:
            return
        self._move(transaction, finding, "open", [FindingItem.plan_id.remove()], now)

    def _move(
        self,
        transaction: Transaction,
        finding: Finding,
        status: Status,
        actions: Sequence[Action],
        now: datetime,
    ) -> None:
        # One write a finding: a plan of 50 has to fit one transaction with its own rows, which is
        # why counts do not tell open from planned.
        transaction.update(
            FindingItem(self._scope.pk, key("FINDING", finding.id)),
            [
                FindingItem.status.set(status),
                FindingItem.gsi1pk.set(records.status_pk(self._scope, finding.group, status)),
                FindingItem.version.set(finding.version + 1),
                FindingItem.updated_at.set(now),
                *actions,
            ],
            FindingItem.version == finding.version,
            name=finding.id,
        )

    def active(self, account_id: str, generation: int, unit_region: str) -> dict[str, str]:
        prefix = key("ACTIVE", account_id, str(generation), unit_region) + "#"
        with store_errors():
            items = PointerItem.query(
                self._scope.pk, PointerItem.sk.startswith(prefix), consistent_read=True
            )
            return {item.id: item.check_id for item in items}

    def write(self, changes: Sequence[Change], now: datetime) -> None:
        for start in range(0, len(changes), _BATCH):
            transaction = Transaction()
            self.add_changes(transaction, changes[start : start + _BATCH], now)
            try:
                transaction.commit()
            except ConditionFailed as lost:
                raise ChangedMeanwhile from lost

    def add_changes(
        self, transaction: Transaction, changes: Sequence[Change], now: datetime
    ) -> None:
        """Add what stores these findings to a transaction."""
        deltas: dict[str, _Delta] = defaultdict(_Delta)
        for change in changes:
            transaction.save(
                records.finding_item(self._scope, change.after, now),
                _expected(change),
                name=change.after.id,
            )
            self._point(transaction, change, now)
            deltas[records.count_sk(change.after)].take(change)
        for sk, delta in deltas.items():
            if delta.matters:
                transaction.update(CountItem(self._scope.pk, sk), delta.actions(now))

    def _point(self, transaction: Transaction, change: Change, now: datetime) -> None:
        before = None if change.before is None else pointer_sk(change.before)
        after = pointer_sk(change.after)
        if before == after:
            return
        if before is not None:
            transaction.delete(PointerItem(self._scope.pk, before))
        transaction.save(
            PointerItem(
                self._scope.pk,
                after,
                id=change.after.id,
                check_id=change.after.check_id,
                created_at=now,
                updated_at=now,
            )
        )

    def listed(
        self, group: Group, status: Status, filters: FindingFilters, below: Place | None
    ) -> Iterator[Finding]:
        condition: Condition | None = None
        for attribute, value in (
            (FindingItem.check_id, filters.check_id),
            (FindingItem.account_id, filters.account_id),
            (FindingItem.region, filters.region),
        ):
            if value is not None:
                part = attribute == value
                condition = part if condition is None else condition & part
        living = self._living.every()
        with store_errors():
            items = FindingItem.by_status.query(
                records.status_pk(self._scope, group, status),
                None if below is None else FindingItem.gsi1sk < key(*below),
                filter_condition=condition,
                scan_index_forward=False,
            )
            for item in items:
                if living.get(item.account_id) == int(item.generation):
                    yield records.finding_of(item)

    def counts(self) -> list[Count]:
        living = self._living.every()
        with store_errors():
            items = list(
                CountItem.query(
                    self._scope.pk, CountItem.sk.startswith("COUNT#"), consistent_read=True
                )
            )
        return [
            records.count_of(item)
            for item in items
            if living.get(item.account_id) == int(item.generation)
        ]

    def save_states(self, states: RegionStates, now: datetime) -> None:
        item = records.states_item(self._scope, states, now)
        try:
            with store_errors():
                item.save(
                    StatesItem.pk.does_not_exist() | (StatesItem.checked_at <= states.checked_at)
                )
        except ConditionFailed:
            return  # a newer inventory was evaluated meanwhile

    def save_overlaps(
        self,
        account_id: str,
        generation: int,
        region: str,
        clusters: Sequence[Cluster],
        now: datetime,
    ) -> None:
        overlaps.save_overlaps(self._scope, (account_id, generation, region), clusters, now)

    def overlaps(self) -> list[Cluster]:
        return overlaps.overlaps(self._scope, self._living)

    def region_states(self, account_id: str, generation: int, region: str) -> RegionStates | None:
        sk = key("STATES", account_id, str(generation), region)
        with store_errors():
            try:
                return records.states_of(StatesItem.get(self._scope.pk, sk, consistent_read=True))
            except StatesItem.DoesNotExist:
                return None

    def states(self) -> list[RegionStates]:
        living = self._living.every()
        with store_errors():
            items = list(
                StatesItem.query(
                    self._scope.pk, StatesItem.sk.startswith("STATES#"), consistent_read=True
                )
            )
        return [
            records.states_of(item)
            for item in items
            if living.get(item.account_id) == int(item.generation)
        ]


def pointer_sk(finding: Finding) -> str:
    """Where the pointer of a finding is."""
    return records.active_sk(finding) if finding.active else records.gone_sk(finding)


def _expected(change: Change) -> Condition:
    if change.before is not None:
        return FindingItem.version == change.before.version
    if change.replaces is not None:
        return FindingItem.version == change.replaces
    return FindingItem.pk.does_not_exist()


class _Delta:
    """What a transaction adds to one count."""

    def __init__(self) -> None:
        self.active = self.priced = self.micros = self.resolved = 0
        self._of: Finding | None = None

    def take(self, change: Change) -> None:
        """Count a change."""
        self._of = change.after
        if change.before is not None:
            self.weigh(change.before, -1)
        self.weigh(change.after, 1)

    def weigh(self, finding: Finding, sign: int) -> None:
        """Count a finding, or take it back."""
        self._of = finding
        if finding.active:
            self.active += sign
            self.priced += sign * (finding.saving.monthly is not None)
            self.micros += sign * records.micros(finding)
        else:
            self.resolved += sign

    @property
    def matters(self) -> bool:
        """True when any number moves."""
        return any((self.active, self.priced, self.micros, self.resolved))

    def actions(self, now: datetime) -> list[Action]:
        """The update of the count's item."""
        finding = self._of
        assert finding is not None  # noqa: S101 - taken before it is asked
        return [
            CountItem.active.add(self.active),
            CountItem.priced.add(self.priced),
            CountItem.micros.add(self.micros),
            CountItem.resolved.add(self.resolved),
            CountItem.group.set(finding.group),
            CountItem.account_id.set(finding.account_id),
            CountItem.generation.set(finding.generation),
            CountItem.region.set(finding.region),
            CountItem.check_id.set(finding.check_id),
            CountItem.schema_version.set(1),
            CountItem.created_at.set(CountItem.created_at | now),
            CountItem.updated_at.set(now),
        ]


Delta = _Delta
