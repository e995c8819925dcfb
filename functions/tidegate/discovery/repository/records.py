"""Between items of the `discovery` table and domain objects."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from tidegate_kit.clock import epoch
from tidegate_kit.tenancy import TenantScope, key

from tidegate.discovery.domain import (
    AccountState,
    Chunk,
    Resource,
    Row,
    Run,
    Segment,
    Unit,
    moment_key,
    search_text,
)
from tidegate.discovery.models import (
    AccountItem,
    ChunkItem,
    CountItem,
    ResourceItem,
    RunItem,
    UnitItem,
)

KEEP_RUNS = timedelta(days=90)
KEEP_VANISHED = timedelta(days=30)


def run_pk(scope: TenantScope, run_id: str) -> str:
    """Partition of a run's units and chunks."""
    return f"{scope.pk}#{key('R', run_id)}"


def rows_pk(scope: TenantScope, account_id: str, generation: int) -> str:
    """Partition of an account's rows."""
    return f"{scope.pk}#{key('A', account_id, str(generation))}"


def row_sk(region: str, type_: str, id_: str) -> str:
    """Sort key of a resource."""
    return key("RES", region, type_, id_)


def unit_sk(unit_key: str) -> str:
    """Sort key of a unit named `<region>/<service>`."""
    return key("UNIT", *unit_key.split("/", 1))


def count_sk(segment: Segment) -> str:
    """Sort key of a segment's count."""
    return key(
        "INV", "C", segment.account_id, str(segment.generation), segment.first_seen,
        segment.region, segment.type,
    )  # fmt: skip


def run_item(scope: TenantScope, run: Run, now: datetime) -> RunItem:
    """The item of a run."""
    return RunItem(
        scope.pk,
        key("RUN", run.id),
        id=run.id,
        tenant_id=run.tenant_id,
        onboarding_id=run.onboarding_id,
        account_id=run.account_id,
        generation=run.generation,
        status=run.status,
        wanted={"regions": list(run.wanted_regions), "services": list(run.wanted_services)},
        started_at=run.started_at,
        deadline_at=run.deadline_at,
        completed_at=run.completed_at,
        planned=run.planned,
        access_lost_at=run.access_lost_at,
        finish_cursor=run.finish_cursor,
        snapshot=run.snapshot,
        diff=run.diff,
        summary=run.summary,
        reason=run.reason,
        expires=epoch(run.started_at + KEEP_RUNS),
        created_at=run.started_at,
        updated_at=now,
    )


def run_of(item: RunItem) -> Run:
    """The run of an item."""
    return Run(
        id=item.id,
        tenant_id=item.tenant_id,
        onboarding_id=item.onboarding_id,
        account_id=item.account_id,
        generation=int(item.generation),
        status=item.status,  # type: ignore[arg-type]
        wanted_regions=tuple(item.wanted["regions"]),
        wanted_services=tuple(item.wanted["services"]),
        started_at=item.started_at,
        deadline_at=item.deadline_at,
        completed_at=item.completed_at,
        planned=bool(item.planned),
        access_lost_at=item.access_lost_at,
        finish_cursor=item.finish_cursor or "",
        snapshot=item.snapshot,
        diff=item.diff,
        summary=item.summary,
        reason=item.reason,
    )


def unit_item(scope: TenantScope, run: Run, unit: Unit, now: datetime) -> UnitItem:
    """The item of a unit."""
    return UnitItem(
        run_pk(scope, run.id),
        unit_sk(unit.key),
        region=unit.region,
        service=unit.service,
        status=unit.status,
        page=unit.page,
        token=unit.token,
        resource_count=unit.resource_count,
        listed=unit.listed,
        reason=unit.reason,
        missing_actions=list(unit.missing_actions),
        seen_tokens=list(unit.seen_tokens),
        restarts=unit.restarts,
        expires=epoch(run.started_at + KEEP_RUNS),
        created_at=run.started_at,
        updated_at=now,
    )


def unit_of(item: UnitItem) -> Unit:
    """The unit of an item."""
    count = item.resource_count
    return Unit(
        region=item.region,
        service=item.service,
        status=item.status,  # type: ignore[arg-type]
        page=int(item.page),
        token=item.token,
        resource_count=None if count is None else int(count),
        listed=bool(item.listed),
        reason=item.reason,
        missing_actions=tuple(item.missing_actions),
        seen_tokens=tuple(item.seen_tokens),
        restarts=int(item.restarts),
    )


def row_item(scope: TenantScope, generation: int, row: Row, now: datetime) -> ResourceItem:
    """The item of a row; vanished rows leave the index and expire."""
    resource = row.resource
    pk = rows_pk(scope, resource.account_id, generation)
    return ResourceItem(
        pk,
        row_sk(resource.region, resource.type, resource.id),
        id=resource.id,
        arn=resource.arn,
        type=resource.type,
        name=resource.name,
        account_id=resource.account_id,
        region=resource.region,
        state=resource.state,
        body={
            "tags": dict(resource.tags),
            "attributes": dict(resource.attributes),
            "metrics": dict(resource.metrics),
            "unknown": list(resource.unknown),
        },
        fingerprint=resource.fingerprint,
        search=search_text(resource.arn, resource.name, resource.tags),
        service=row.service,
        unit_region=row.unit_region,
        first_seen_at=resource.first_seen_at,
        last_seen_at=resource.last_seen_at,
        unchanged_since=resource.unchanged_since,
        seen_run=row.seen_run,
        first_run=row.first_run,
        changed_run=row.changed_run,
        vanished_run=row.vanished_run,
        vanished_at=row.vanished_at,
        created_at=resource.first_seen_at,
        updated_at=now,
        **_listed(pk, row),
    )


def _listed(pk: str, row: Row) -> dict[str, Any]:
    """The attributes by which a living row is in the index, or a vanished one expires."""
    resource = row.resource
    if row.living:
        place = key(moment_key(resource.first_seen_at), resource.region, resource.type, resource.id)
        return {"gsi1pk": pk, "gsi1sk": place}
    if row.vanished_at is not None:
        return {"expires": epoch(row.vanished_at + KEEP_VANISHED)}
    return {}


def row_of(item: ResourceItem) -> Row:
    """The row of an item."""
    return Row(
        resource=Resource(
            id=item.id,
            arn=item.arn,
            type=item.type,
            name=item.name,
            account_id=item.account_id,
            region=item.region,
            state=item.state,
            tags=item.body["tags"],
            attributes=item.body["attributes"],
            metrics=item.body["metrics"],
            unknown=tuple(item.body["unknown"]),
            fingerprint=item.fingerprint,
            first_seen_at=item.first_seen_at,
            last_seen_at=item.last_seen_at,
            unchanged_since=item.unchanged_since,
        ),
        service=item.service,
        unit_region=item.unit_region,
        seen_run=item.seen_run,
        first_run=item.first_run,
        changed_run=item.changed_run,
        vanished_run=item.vanished_run,
        vanished_at=item.vanished_at,
    )


def account_of(account_id: str, item: AccountItem | None) -> AccountState:
    """The account's state; a fresh one where nothing is stored."""
    if item is None:
        return AccountState(account_id)
    return AccountState(
        account_id=account_id,
        generation=int(item.generation),
        running_run_id=item.running_run_id,
        running_until=item.running_until,
        last_run_id=item.last_run_id,
        last_snapshot=item.last_snapshot,
    )


def segment_of(item: CountItem) -> Segment:
    """The segment of a count."""
    return Segment(
        first_seen=item.first_seen,
        account_id=item.account_id,
        region=item.region,
        type=item.type,
        count=int(item.living),
        generation=int(item.generation),
    )


def segment_for(row: Row, generation: int) -> Segment:
    """The segment (without its count) that a row is counted in."""
    resource = row.resource
    return Segment(
        first_seen=moment_key(resource.first_seen_at),
        account_id=resource.account_id,
        region=resource.region,
        type=resource.type,
        count=0,
        generation=generation,
    )


def chunk_item(scope: TenantScope, run: Run, chunk: Chunk, now: datetime) -> ChunkItem:
    """The item of a chunk."""
    return ChunkItem(
        run_pk(scope, run.id),
        f"CHUNK#{chunk.key}",
        body={
            "region": chunk.region,
            "type": chunk.type,
            "first_id": chunk.first_id,
            "sha256": chunk.sha256,
            "count": chunk.count,
            "added": chunk.added,
            "changed": chunk.changed,
            "vanished": chunk.vanished,
            "diff_sha256": chunk.diff_sha256,
        },
        expires=epoch(run.started_at + KEEP_RUNS),
        created_at=now,
        updated_at=now,
    )


def chunk_of(item: ChunkItem) -> Chunk:
    """The chunk of an item."""
    return Chunk(**item.body)
