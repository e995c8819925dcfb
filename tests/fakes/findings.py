"""In-memory twins of the findings stores."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from tidegate.findings.domain import (
    Change,
    Count,
    Finding,
    FindingException,
    FindingFilters,
    Group,
    Refresh,
    RegionStates,
    Status,
)
from tidegate.findings.errors import (
    ChangedMeanwhile,
    ExceptionExists,
    FindingInPlan,
    RefreshRunning,
)
from tidegate.findings.exceptions import seen
from tidegate.findings.overlap import Cluster
from tidegate.findings.repository import Place, Thresholds
from tidegate.findings.service.queries import place_of
from tidegate_kit.dynamo import Transaction
from tidegate_kit.errors import NotFound


class MemoryLiving:
    """repository.Living in a dictionary."""

    def __init__(self) -> None:
        self.present: dict[str, int] = {}

    def one(self, account_id: str) -> int | None:
        return self.present.get(account_id, 0)

    def every(self) -> Mapping[str, int]:
        return self.present


class MemoryFindings:
    """FindingStore in dictionaries: every method is one atomic step, as in a transaction.

    What `mark_planned` and `release` add to a transaction is done by `commit_planned`.
    """

    def __init__(self, living: MemoryLiving) -> None:
        self.rows: dict[str, Finding] = {}
        self.old: list[Finding] = []
        self.region: dict[tuple[str, int, str], RegionStates] = {}
        self.linked: dict[tuple[str, int, str], list[Cluster]] = {}
        self.moves: list[tuple[int, Finding]] = []
        self._living = living

    def get(self, finding_id: str) -> Finding | None:
        return self.get_many([finding_id]).get(finding_id)

    def get_many(self, ids: Sequence[str]) -> dict[str, Finding]:
        return {
            id_: one
            for id_, one in self.stored(ids).items()
            if one.generation == self._living.one(one.account_id)
        }

    def stored(self, ids: Sequence[str]) -> dict[str, Finding]:
        return {id_: self.rows[id_] for id_ in ids if id_ in self.rows}

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
        after = replace(finding, status="planned", plan_id=plan_id, exception=None)
        self.moves.append((finding.version, replace(after, version=finding.version + 1)))

    def release(
        self, transaction: Transaction, finding_id: str, plan_id: str, now: datetime
    ) -> None:
        finding = self.rows.get(finding_id)
        if finding is not None and (finding.status, finding.plan_id) == ("planned", plan_id):
            after = replace(finding, status="open", plan_id=None, version=finding.version + 1)
            self.moves.append((finding.version, after))

    def commit_planned(self) -> None:
        """What the caller's transaction does. Raises ChangedMeanwhile."""
        moves, self.moves = self.moves, []
        if any(self.rows[after.id].version != version for version, after in moves):
            raise ChangedMeanwhile
        for _, after in moves:
            self.rows[after.id] = after

    def save_overlaps(
        self,
        account_id: str,
        generation: int,
        region: str,
        clusters: Sequence[Cluster],
        now: datetime,
    ) -> None:
        self.linked.pop((account_id, generation, region), None)
        if clusters:
            self.linked[account_id, generation, region] = list(clusters)

    def overlaps(self) -> list[Cluster]:
        present = self._living.every()
        return [
            cluster
            for (account, generation, _), found in self.linked.items()
            if present.get(account) == generation
            for cluster in found
        ]

    def active(self, account_id: str, generation: int, unit_region: str) -> dict[str, str]:
        return {
            one.id: one.check_id
            for one in self.rows.values()
            if one.active
            and (one.account_id, one.generation, one.unit_region)
            == (account_id, generation, unit_region)
        }

    def write(self, changes: Sequence[Change], now: datetime) -> None:
        for start in range(0, len(changes), 25):
            part = changes[start : start + 25]
            for change in part:
                stored = self.rows.get(change.after.id)
                expected = change.replaces if change.before is None else change.before.version
                if (None if stored is None else stored.version) != expected:
                    raise ChangedMeanwhile
            for change in part:
                if change.replaces is not None:
                    self.old.append(self.rows[change.after.id])
                self.rows[change.after.id] = change.after

    def listed(
        self, group: Group, status: Status, filters: FindingFilters, below: Place | None
    ) -> Iterator[Finding]:
        wanted = replace(filters, status=status, min_monthly=None)
        here = [
            one
            for one in self.rows.values()
            if one.group == group
            and wanted.fit(one)
            and self._living.present.get(one.account_id) == one.generation
            and (below is None or place_of(one) < below)
        ]
        yield from sorted(here, key=place_of, reverse=True)

    def counts(self) -> list[Count]:
        grouped: dict[tuple[Group, str, str, str], list[Finding]] = defaultdict(list)
        for one in self.rows.values():
            if self._living.present.get(one.account_id) == one.generation:
                key = (one.group, one.account_id, one.region, one.check_id)
                grouped[key].append(one)
        return [
            Count(
                *key,
                active=sum(one.active for one in found),
                priced=sum(one.active and one.saving.monthly is not None for one in found),
                monthly=sum(
                    (one.saving.monthly or Decimal(0) for one in found if one.active), Decimal(0)
                ),
                resolved=sum(not one.active for one in found),
            )
            for key, found in sorted(grouped.items())
        ]

    def save_states(self, states: RegionStates, now: datetime) -> None:
        key = (states.account_id, states.generation, states.region)
        stored = self.region.get(key)
        if stored is None or stored.checked_at <= states.checked_at:
            self.region[key] = states

    def region_states(self, account_id: str, generation: int, region: str) -> RegionStates | None:
        return self.region.get((account_id, generation, region))

    def states(self) -> list[RegionStates]:
        return [
            states
            for (account_id, generation, _), states in sorted(self.region.items())
            if self._living.present.get(account_id) == generation
        ]

    def old_resolved(
        self, account_id: str, generation: int, before: datetime, limit: int
    ) -> list[Finding]:
        here = [
            one
            for one in self.rows.values()
            if (one.account_id, one.generation) == (account_id, generation)
            and one.resolved_at is not None
            and not one.active
            and one.resolved_at < before
        ]
        return sorted(here, key=lambda one: (one.resolved_at or before, one.id))[:limit]

    def forget(self, findings: Sequence[Finding], now: datetime) -> None:
        for finding in findings:
            if self.rows.get(finding.id) != finding:
                raise ChangedMeanwhile
            del self.rows[finding.id]

    def delete_some(self, account_id: str, present: int, limit: int) -> int:
        gone = [
            one.id
            for one in self.rows.values()
            if one.account_id == account_id and one.generation < present
        ][:limit]
        for id_ in gone:
            del self.rows[id_]
        if gone:
            return len(gone)
        for kept in (self.region, self.linked):
            old = [key for key in kept if key[0] == account_id and key[1] < present][:limit]
            for key in old:
                del kept[key]
            if old:
                return len(old)
        return 0

    def delete_any(self, limit: int) -> int:
        gone = list(self.rows)[:limit]
        for id_ in gone:
            del self.rows[id_]
        return len(gone)


class MemoryExceptions:
    """ExceptionStore in a dictionary."""

    def __init__(self, findings: MemoryFindings) -> None:
        self.rows: dict[str, FindingException] = {}
        self._findings = findings
        self._thresholds: tuple[Thresholds, int] = ({}, 0)

    def all(self) -> list[FindingException]:
        return sorted(self.rows.values(), key=lambda one: (one.created_at, one.id), reverse=True)

    def exception(self, exception_id: str) -> FindingException | None:
        return self.rows.get(exception_id)

    def add(self, exception: FindingException, change: Change | None, now: datetime) -> None:
        stored = self.rows.get(exception.id)
        if stored is not None and stored.active(now):
            raise ExceptionExists
        self._findings.write([] if change is None else [change], now)
        self.rows[exception.id] = exception

    def remove(self, exception_id: str, change: Change | None, now: datetime) -> None:
        if exception_id not in self.rows:
            raise NotFound
        self._findings.write([] if change is None else [change], now)
        del self.rows[exception_id]

    def thresholds(self) -> tuple[Thresholds, int]:
        checks, version = self._thresholds
        return {check_id: dict(values) for check_id, values in checks.items()}, version

    def set_thresholds(self, checks: Thresholds, version: int, now: datetime) -> None:
        if self._thresholds[1] != version:
            raise ChangedMeanwhile
        self._thresholds = (checks, version + 1)


class MemoryRefreshes:
    """RefreshStore in a dictionary."""

    def __init__(self) -> None:
        self.rows: dict[str, Refresh] = {}
        self.lease: tuple[str, datetime] | None = None

    def begin(self, refresh: Refresh, now: datetime, *, exclusive: bool) -> Refresh:
        if refresh.id in self.rows:
            return self.rows[refresh.id]
        if exclusive:
            if self.lease is not None and self.lease[1] > now:
                raise RefreshRunning
            self.lease = (refresh.id, refresh.deadline_at)
        self.rows[refresh.id] = refresh
        return refresh

    def refresh(self, refresh_id: str) -> Refresh | None:
        return self.rows.get(refresh_id)

    def running(self, now: datetime) -> Refresh | None:
        if self.lease is None or self.lease[1] <= now:
            return None
        return self.rows.get(self.lease[0])

    def fail_account(self, refresh_id: str, account_id: str, reason: str, now: datetime) -> None:
        stored = self.rows[refresh_id]
        failures = {**stored.failures, account_id: reason}
        self.rows[refresh_id] = replace(stored, failures=failures)

    def finish(self, refresh_id: str, status: str, now: datetime) -> None:
        stored = self.rows.get(refresh_id)
        if stored is not None and stored.status == "running":
            done = "failed" if status == "failed" else "completed"
            self.rows[refresh_id] = replace(stored, status=done, completed_at=now)
        if self.lease is not None and self.lease[0] == refresh_id:
            self.lease = None
