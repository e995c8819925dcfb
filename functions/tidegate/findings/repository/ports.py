"""What findings need of their storage; DynamoDB and the in-memory twin keep the same contract."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from tidegate.findings.domain import (
    Change,
    Count,
    Finding,
    FindingException,
    FindingFilters,
    Findings,
    Group,
    Refresh,
    RegionStates,
    Status,
)
from tidegate.findings.overlap import Cluster

# A finding's place in a list, which runs from high to low: first sighting, id.
Place = tuple[str, str]
Thresholds = dict[str, dict[str, Decimal]]


class Living(Protocol):
    """Which generation of an account is the present one (discovery's)."""

    def one(self, account_id: str) -> int | None:
        """Of one account, read consistently; None: never discovered."""

    def every(self) -> Mapping[str, int]:
        """Of every account."""


class FindingStore(Findings, Protocol):
    """Findings, their counts and the states of the checks, of one tenant.

    Statuses are as stored: an expired exception still says "excepted".
    """

    def stored(self, ids: Sequence[str]) -> dict[str, Finding]:
        """Up to 100 rows by id, of ended generations too, read consistently."""

    def active(self, account_id: str, generation: int, unit_region: str) -> dict[str, str]:
        """Ids of findings that are not resolved -> their check, read consistently."""

    def write(self, changes: Sequence[Change], now: datetime) -> None:
        """Store findings with pointers and counts, 25 in a transaction.

        Raises ChangedMeanwhile when one is not as it was read; those before it are stored.
        """

    def listed(
        self, group: Group, status: Status, filters: FindingFilters, below: Place | None
    ) -> Iterator[Finding]:
        """Findings of a stored status, newest first, below a place; by the index: for showing only.

        Filtered by check, account and region.
        """

    def counts(self) -> list[Count]:
        """Counts of the present generations."""

    def save_states(self, states: RegionStates, now: datetime) -> None:
        """Replace the states of a region, unless those of a newer inventory are stored."""

    def region_states(self, account_id: str, generation: int, region: str) -> RegionStates | None:
        """The stored states of a region, read consistently."""

    def states(self) -> list[RegionStates]:
        """The states of the present generations."""

    def save_overlaps(
        self,
        account_id: str,
        generation: int,
        region: str,
        clusters: Sequence[Cluster],
        now: datetime,
    ) -> None:
        """Replace what excludes each other among a region's findings."""

    def overlaps(self) -> list[Cluster]:
        """What excludes each other among the findings of the present generations."""

    def old_resolved(
        self, account_id: str, generation: int, before: datetime, limit: int
    ) -> list[Finding]:
        """Findings that were resolved before a time, oldest first."""

    def forget(self, findings: Sequence[Finding], now: datetime) -> None:
        """Delete resolved findings with their counts. Raises ChangedMeanwhile."""

    def delete_some(self, account_id: str, present: int, limit: int) -> int:
        """Delete up to `limit` rows of generations below `present`; 0 when none is left."""

    def delete_any(self, limit: int) -> int:
        """Delete up to `limit` rows of the tenant, of any kind; 0 when none is left."""


class RefreshStore(Protocol):
    """Refreshes and the lease of the one that goes on."""

    def begin(self, refresh: Refresh, now: datetime, *, exclusive: bool) -> Refresh:
        """Store a refresh; a known id gives the stored one.

        `exclusive`: it takes the lease. Raises RefreshRunning while another holds it.
        """

    def refresh(self, refresh_id: str) -> Refresh | None:
        """A refresh, read consistently."""

    def running(self, now: datetime) -> Refresh | None:
        """The refresh that holds the lease."""

    def fail_account(self, refresh_id: str, account_id: str, reason: str, now: datetime) -> None:
        """Note that an account could not be evaluated."""

    def finish(self, refresh_id: str, status: str, now: datetime) -> None:
        """Close a refresh and give its lease back; again is nothing."""


class ExceptionStore(Protocol):
    """Exceptions and thresholds."""

    def all(self) -> list[FindingException]:
        """Every exception, newest first."""

    def exception(self, exception_id: str) -> FindingException | None:
        """One exception, read consistently."""

    def add(self, exception: FindingException, change: Change | None, now: datetime) -> None:
        """Store it and its finding's change together. Raises ExceptionExists, ChangedMeanwhile."""

    def remove(self, exception_id: str, change: Change | None, now: datetime) -> None:
        """Delete it and store its finding's change. Raises NotFound, ChangedMeanwhile."""

    def thresholds(self) -> tuple[Thresholds, int]:
        """What the tenant set, and its version (0: nothing)."""

    def set_thresholds(self, checks: Thresholds, version: int, now: datetime) -> None:
        """Replace them, from `version`. Raises ChangedMeanwhile."""
