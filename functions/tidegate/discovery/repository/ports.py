"""What discovery needs of its storage; DynamoDB and the in-memory twin keep the same contract."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Protocol

from tidegate.discovery.domain import (
    AccountState,
    Chunk,
    ResourceFilters,
    Row,
    RowWrite,
    Run,
    Segment,
    Unit,
    moment_key,
)

# The place of a resource in the list: first sighting, account, region, type, id.
Place = tuple[str, str, str, str, str]


def place_of(row: Row) -> Place:
    """Where a row stands in the list, which runs from high to low."""
    resource = row.resource
    first_seen = moment_key(resource.first_seen_at)
    return (first_seen, resource.account_id, resource.region, resource.type, resource.id)


class DiscoveryRepository(Protocol):
    """Runs, units and inventory of one tenant."""

    def begin(self, run: Run, now: datetime) -> Run:
        """Store a new run as the account's running one; a known run id gives the stored run.

        The generation is the account's. Raises DiscoveryRunning while another, living run goes on.
        """

    def run(self, run_id: str) -> Run | None:
        """The run, read consistently."""

    def latest(self, onboarding_id: str) -> Run | None:
        """The latest run of an onboarding."""

    def recorded_runs(self, account_id: str) -> list[Run]:
        """The account's runs that left a snapshot, of the last 90 days, in no order."""

    def account(self, account_id: str) -> AccountState:
        """The account's state, read consistently; a fresh one when nothing is stored."""

    def plan(self, run: Run, units: Sequence[Unit], now: datetime) -> list[Unit]:
        """Store the units of a run, once; gives the units as stored."""

    def units(self, run_id: str) -> list[Unit]:
        """All units of a run, by region and service."""

    def unit(self, run_id: str, unit_key: str) -> Unit | None:
        """One unit, read consistently."""

    def rows(self, run: Run, places: Sequence[tuple[str, str, str]]) -> dict[str, Row]:
        """The stored rows of (region, type, id), living and vanished, by id."""

    def commit_page(
        self, run: Run, before: Unit, after: Unit, writes: Sequence[RowWrite], now: datetime
    ) -> None:
        """Store rows, counts and checkpoint together. Raises Superseded when another was first.

        What passes the size of one transaction goes in several; each moves the unit's count, and
        rows already stored are not counted again, so it may be cut anywhere and repeated.
        """

    def mark_access_lost(self, run: Run, now: datetime) -> None:
        """Remember that the account refused us, so that no other unit asks again."""

    def inventory_types(self, run: Run) -> list[tuple[str, str]]:
        """(region, type) pairs of which the account has living rows, sorted."""

    def slice(self, run: Run, region: str, type_: str, after_id: str, limit: int) -> list[Row]:
        """Up to `limit` rows of one (region, type) with ids above `after_id`, by id."""

    def vanish(self, run: Run, writes: Sequence[RowWrite], now: datetime) -> None:
        """Mark rows as vanished. Raises Superseded when one was seen meanwhile."""

    def save_chunk(self, run: Run, chunk: Chunk, cursor: str, now: datetime) -> Run:
        """Record a chunk and move the run's finish cursor. Raises Superseded."""

    def chunks(self, run_id: str) -> list[Chunk]:
        """The recorded chunks of a run, in order."""

    def prune_counts(self, run: Run) -> None:
        """Forget the segments of the run's account that no living row is left in."""

    def complete(self, run: Run, now: datetime) -> bool:
        """Store a final run and release its account; False if it was final already."""

    def accounts(self) -> dict[str, AccountState]:
        """Every account with an inventory."""

    def segments(self, filters: ResourceFilters) -> list[Segment]:
        """Counts of living rows in the present generations, newest first."""

    def segment_rows(
        self, segment: Segment, below_id: str | None, skip: int, limit: int
    ) -> list[Row]:
        """Living rows of a segment with ids below `below_id`, high to low."""

    def search(self, filters: ResourceFilters, below: Place | None) -> Iterator[Row]:
        """Living rows that match the filters with `q`, newest first."""

    def hide(self, account_id: str, now: datetime) -> AccountState:
        """Begin a new generation: all rows of the old ones are out of every read."""

    def delete_some(self, account_id: str, limit: int) -> int:
        """Delete up to `limit` rows of old generations; the number deleted, 0 when none is left."""
