"""A recorded inventory: what a run found, and what it could not read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tidegate.discovery.domain import Run
from tidegate.discovery.repository import DiscoveryRepository
from tidegate.discovery.snapshots import Snapshots


@dataclass(frozen=True)
class Coverage:
    """One (region, service) of the run. `listed`: what is not in the inventory is not there."""

    region: str
    service: str
    status: str
    listed: bool
    reason: str | None
    missing_actions: tuple[str, ...]


@dataclass(frozen=True)
class Inventory:
    """One account's inventory as the run `run_id` left it; `taken_at` is when the run began.

    The lines of a type are read again each time, so memory does not grow with the inventory.
    """

    account_id: str
    onboarding_id: str
    generation: int
    run_id: str
    sha256: str
    taken_at: datetime
    coverage: tuple[Coverage, ...]
    chunks: tuple[Mapping[str, Any], ...]
    _snapshots: Snapshots = field(repr=False, compare=False)

    def types(self, region: str | None = None) -> tuple[str, ...]:
        """The resource types of a region (None: of all regions), sorted."""
        return tuple(
            sorted({c["type"] for c in self.chunks if region is None or c["region"] == region})
        )

    def lines(self, region: str | None, type_: str) -> Iterator[dict[str, Any]]:
        """Resources of a type as stored (snapshots._line), one at a time, in a fixed order.

        Raises LookupError when a chunk is gone: the account was disconnected.
        """
        for chunk in self.chunks:
            if chunk["type"] == type_ and region in (None, chunk["region"]):
                yield from self._snapshots.lines(self.account_id, self.generation, chunk["sha256"])


def inventory(
    repository: DiscoveryRepository, snapshots: Snapshots, account_id: str, at: datetime | None
) -> Inventory | None:
    """The newest recorded inventory of a connected account, or the newest of `at` and before."""
    run = _run_of(repository, account_id, at)
    if run is None or run.snapshot is None:
        return None
    manifest = snapshots.manifest(account_id, run.generation, run.snapshot)
    if manifest is None:
        return None
    return Inventory(
        account_id=account_id,
        onboarding_id=run.onboarding_id,
        generation=run.generation,
        run_id=run.id,
        sha256=run.snapshot,
        taken_at=run.started_at,
        coverage=tuple(_coverage(unit) for unit in manifest["coverage"]),
        chunks=tuple(manifest["chunks"]),
        _snapshots=snapshots,
    )


def _run_of(repository: DiscoveryRepository, account_id: str, at: datetime | None) -> Run | None:
    state = repository.account(account_id)
    if state.last_run_id is not None and at is None:
        run = repository.run(state.last_run_id)
        if run is not None and run.snapshot is not None and run.generation == state.generation:
            return run
    runs = [
        run
        for run in repository.recorded_runs(account_id)
        if run.generation == state.generation and (at is None or run.started_at <= at)
    ]
    return max(runs, key=lambda run: (run.started_at, run.id), default=None)


def _coverage(unit: Mapping[str, Any]) -> Coverage:
    return Coverage(
        region=unit["region"],
        service=unit["service"],
        status=unit["status"],
        # Manifests of before had no such field; only "ok" was surely complete.
        listed=bool(unit.get("listed", unit["status"] == "ok")),
        reason=unit["reason"],
        missing_actions=tuple(unit["missing_actions"]),
    )
