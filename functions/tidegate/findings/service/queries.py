"""What is shown of findings: lists, one, the summary, the states of the checks."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from itertools import islice
from typing import Any

from tidegate_kit.clock import Clock
from tidegate_kit.errors import NotFound

from tidegate.findings.checks import CHECKS
from tidegate.findings.domain import (
    CheckState,
    Count,
    Finding,
    FindingFilters,
    Group,
    RegionStates,
    Status,
)
from tidegate.findings.exceptions import seen
from tidegate.findings.overlap import promised_twice
from tidegate.findings.repository import FindingStore, Place

_ZERO = Decimal(0)
_ALL: tuple[Status, ...] = ("open", "excepted", "planned", "resolved")


@dataclass(frozen=True)
class CheckTotal:
    """Open findings of one check; `monthly` None when none of them is priced."""

    check_id: str
    open: int
    monthly: Decimal | None


@dataclass(frozen=True)
class Summary:
    """Open findings in numbers (contract 2.10 summary), and how many checks could be judged.

    `identified_monthly` is what can be saved: it counts once what several checks promise, so it may
    be less than the sum of `by_check` (ADR 0027).
    """

    identified_monthly: Decimal
    open: int
    priced: int
    found: int
    clean: int
    unknown: int
    by_check: tuple[CheckTotal, ...]
    as_of: datetime | None

    @property
    def unpriced(self) -> int:
        """Open findings without a price."""
        return self.open - self.priced

    @property
    def percent(self) -> float | None:
        """Percent of (check, account, region) that is not unknown; None when nothing was judged."""
        judged = self.found + self.clean + self.unknown
        return None if judged == 0 else round(100 * (self.found + self.clean) / judged, 1)


class Queries:
    """Reads of one tenant's findings."""

    def __init__(self, store: FindingStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def get(self, group: Group, finding_id: str) -> Finding:
        """One finding of a group. Raises NotFound."""
        finding = self._store.get(finding_id)
        if finding is None or finding.group != group:
            raise NotFound
        return seen(finding, self._clock())

    def page(
        self,
        group: Group,
        filters: FindingFilters,
        skip: int,
        limit: int,
        start: Mapping[str, Any] | None,
    ) -> tuple[list[Finding], int, dict[str, Any] | None]:
        """A page, newest first: rows, total, and where the next page starts or None."""
        below: Place | None = None if start is None else (start["at"], start["id"])
        rows = list(islice(self._rows(group, filters, below), skip, skip + limit + 1))
        total = self._total(group, filters)
        if len(rows) <= limit:
            return rows, total, None
        at, id_ = place_of(rows[limit - 1])
        return rows[:limit], total, {"at": at, "id": id_}

    def _rows(
        self, group: Group, filters: FindingFilters, below: Place | None
    ) -> Iterator[Finding]:
        now = self._clock()
        streams = [
            self._store.listed(group, status, filters, below)
            for status in _stored_as(filters.status)
        ]
        for finding in heapq.merge(*streams, key=place_of, reverse=True):
            shown = seen(finding, now)
            if filters.fit(shown):
                yield shown

    def _total(self, group: Group, filters: FindingFilters) -> int:
        """By the counts, so a list of a million costs what one of ten costs.

        Only the few that are planned or excepted, and lists by price, are counted one by one.
        """
        if filters.min_monthly is not None or filters.status in ("planned", "excepted"):
            return sum(1 for _ in self._rows(group, filters, None))
        counts = [
            count
            for count in self._store.counts()
            if count.group == group
            and filters.check_id in (None, count.check_id)
            and filters.account_id in (None, count.account_id)
            and filters.region in (None, count.region)
        ]
        resolved = sum(count.resolved for count in counts)
        if filters.status == "resolved":
            return resolved
        active = sum(count.active for count in counts)
        if filters.status is None:
            return active + resolved
        return active - sum(1 for _ in self._put_aside(group, filters))

    def _put_aside(self, group: Group, filters: FindingFilters) -> Iterator[Finding]:
        """Findings that are neither open nor resolved: planned, and excepted right now."""
        now = self._clock()
        for status in ("planned", "excepted"):
            wanted = replace(filters, status=None)
            for finding in self._store.listed(group, status, wanted, None):
                if seen(finding, now).status != "open":
                    yield finding

    def summary(self, groups: Sequence[Group]) -> Summary:
        """Open findings of the groups in numbers."""
        open_: dict[str, list[Any]] = {}
        for count in self._store.counts():
            if count.group in groups:
                _add(open_, count)
        aside: set[str] = set()
        for group in groups:
            for finding in self._put_aside(group, FindingFilters()):
                _take_off(open_, finding)
                aside.add(finding.id)
        stored = self._store.states()
        states = [s for region in stored for s in region.states if _in(groups, s)]
        tally = [sum(s.state == kind for s in states) for kind in ("found", "clean", "unknown")]
        return Summary(
            identified_monthly=sum((entry[2] for entry in open_.values()), _ZERO)
            - self._promised_twice(groups, aside),
            open=sum(entry[0] for entry in open_.values()),
            priced=sum(entry[1] for entry in open_.values()),
            found=tally[0],
            clean=tally[1],
            unknown=tally[2],
            by_check=tuple(
                CheckTotal(check_id, entry[0], entry[2] if entry[1] else None)
                for check_id, entry in sorted(open_.items())
                if entry[0]
            ),
            as_of=max((s.checked_at for s in states), default=None),
        )

    def _promised_twice(self, groups: Sequence[Group], aside: AbstractSet[str]) -> Decimal:
        """USD a month that open findings of the groups promise beside a greater one."""
        checks = {check_id for check_id, check in CHECKS.items() if check.group in groups}
        return sum(
            (
                promised_twice(
                    [c for c in cluster if c.check_id in checks and c.finding_id not in aside]
                )
                for cluster in self._store.overlaps()
            ),
            _ZERO,
        )

    def states(self, group: Group) -> dict[str, list[tuple[RegionStates, CheckState]]]:
        """The states of every check of a group, by account and region."""
        found: dict[str, list[tuple[RegionStates, CheckState]]] = {
            check_id: [] for check_id, check in CHECKS.items() if check.group == group
        }
        for region in self._store.states():
            for state in region.states:
                if state.check_id in found:
                    found[state.check_id].append((region, state))
        return found

    def top(self, limit: int) -> list[Finding]:
        """The open findings with the greatest saving, over all groups."""
        rows = (
            finding
            for group in ("waste", "storage")
            for finding in self._rows(group, FindingFilters(status="open"), None)
        )
        return heapq.nlargest(limit, rows, key=lambda f: (f.saving.monthly or _ZERO, f.id))


def place_of(finding: Finding) -> Place:
    """Where a finding stands in a list."""
    return f"{int(finding.first_seen_at.timestamp() * 1000):014d}", finding.id


def _stored_as(status: Status | None) -> Sequence[Status]:
    """The stored statuses that may show as `status`: an expired exception is open again."""
    if status is None:
        return _ALL
    return ("open", "excepted") if status == "open" else (status,)


def _in(groups: Sequence[Group], state: CheckState) -> bool:
    check = CHECKS.get(state.check_id)
    return check is not None and check.group in groups


def _add(open_: dict[str, list[Any]], count: Count) -> None:
    entry = open_.setdefault(count.check_id, [0, 0, _ZERO])
    entry[0] += count.active
    entry[1] += count.priced
    entry[2] += count.monthly


def _take_off(open_: dict[str, list[Any]], finding: Finding) -> None:
    entry = open_.setdefault(finding.check_id, [0, 0, _ZERO])
    entry[0] -= 1
    entry[1] -= finding.saving.monthly is not None
    entry[2] -= finding.saving.monthly or _ZERO
