"""What other domains show of discovery (contract 2.8 resources, 2.9 `discovery->`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from tidegate.discovery.domain import (
    DiscoveryView,
    RegionView,
    Resource,
    ResourceFilters,
    Row,
    RunStatus,
    Segment,
    ServiceView,
    Totals,
    Unit,
    progress_of,
)
from tidegate.discovery.repository import DiscoveryRepository, Place, place_of


def discovery_view(
    repository: DiscoveryRepository, onboarding_id: str, now: datetime
) -> DiscoveryView | None:
    """The latest run of an onboarding, None when there was none."""
    run = repository.latest(onboarding_id)
    if run is None:
        return None
    units = repository.units(run.id)
    # A run whose worker died is over, although nothing could write that down.
    status: RunStatus = "failed" if run.stale(now) else run.status
    return DiscoveryView(
        run_id=run.id,
        account_id=run.account_id,
        status=status,
        progress=progress_of(status, units),
        started_at=run.started_at,
        completed_at=run.deadline_at if run.stale(now) else run.completed_at,
        resources_found=sum(unit.resource_count or 0 for unit in units),
        regions=tuple(_region(name, units) for name in sorted({u.region for u in units})),
    )


def _region(name: str, units: Sequence[Unit]) -> RegionView:
    return RegionView(
        name,
        tuple(
            ServiceView(
                service=unit.service,
                status=unit.status,
                resource_count=unit.resource_count,
                reason=unit.reason,
                missing_actions=unit.missing_actions,
            )
            for unit in sorted(units, key=lambda unit: unit.service)
            if unit.region == name
        ),
    )


def list_resources(
    repository: DiscoveryRepository,
    filters: ResourceFilters,
    skip: int,
    limit: int,
    start_key: Mapping[str, Any] | None,
) -> tuple[list[Resource], int, dict[str, Any] | None]:
    """One page: rows (newest first), total, and the key of the next page or None."""
    below = _place(start_key)
    if filters.q:
        rows, total, more = _searched(repository, filters, skip, limit, below)
    else:
        rows, total, more = _listed(repository, filters, skip, limit, below)
    next_key = {"below": list(place_of(rows[-1]))} if more and rows else None
    return [row.resource for row in rows], total, next_key


def totals(repository: DiscoveryRepository) -> Totals:
    """Counts of living resources by type and account."""
    segments = repository.segments(ResourceFilters())
    by_type: Counter[str] = Counter()
    by_account: Counter[str] = Counter()
    for segment in segments:
        by_type[segment.type] += segment.count
        by_account[segment.account_id] += segment.count
    return Totals(sum(by_type.values()), dict(by_type), dict(by_account))


def _place(start_key: Mapping[str, Any] | None) -> Place | None:
    if start_key is None:
        return None
    first_seen, account_id, region, type_, id_ = (str(part) for part in start_key["below"])
    return (first_seen, account_id, region, type_, id_)


def _listed(
    repository: DiscoveryRepository,
    filters: ResourceFilters,
    skip: int,
    limit: int,
    below: Place | None,
) -> tuple[list[Row], int, bool]:
    """Walk the segments: their counts are exact, so what is skipped is not read."""
    segments = repository.segments(filters)
    total = sum(segment.count for segment in segments)
    rows: list[Row] = []
    for segment in _from(segments, below):
        below_id = below[4] if below is not None and segment.order == below[:4] else None
        if below_id is None and skip >= segment.count:
            skip -= segment.count
            continue
        rows += repository.segment_rows(segment, below_id, skip, limit + 1 - len(rows))
        skip = 0
        if len(rows) > limit:
            return rows[:limit], total, True
    return rows, total, False


def _from(segments: Sequence[Segment], below: Place | None) -> Sequence[Segment]:
    if below is None:
        return segments
    return [segment for segment in segments if segment.order <= below[:4]]


def _searched(
    repository: DiscoveryRepository,
    filters: ResourceFilters,
    skip: int,
    limit: int,
    below: Place | None,
) -> tuple[list[Row], int, bool]:
    """Read what the filters leave; `total` needs all of it, memory only the page."""
    total = 0
    rows: list[Row] = []
    more = False
    for row in repository.search(filters, None):
        total += 1
        if below is not None and place_of(row) >= below:
            continue
        if skip > 0:
            skip -= 1
        elif len(rows) < limit:
            rows.append(row)
        else:
            more = True
    return rows, total, more
