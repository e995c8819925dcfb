"""Connected accounts and inventories of tests, written through the domains' own repositories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tidegate.discovery.domain import GLOBAL, Resource, Row, RowWrite, Run, Unit, resource_id
from tidegate.discovery.repository import DynamoDiscoveryRepository
from tidegate.onboarding import public as onboarding
from tidegate.onboarding.domain import Registration
from tidegate.onboarding.repository import DynamoRegistrations
from tidegate_kit.clock import Clock, system_clock
from tidegate_kit.ids import new_id
from tidegate_kit.tenancy import TenantScope

from tests.builders.settings import CUSTOMER_ACCOUNT

SERVICE = "ec2-instances"


def add_account(
    tenant_id: str,
    account_id: str = CUSTOMER_ACCOUNT,
    *,
    status: str = "connected",
    method: str = "role",
    clock: Clock = system_clock,
    **more: Any,
) -> Registration:
    """Store a registration of a tenant; `more` are attributes of Registration."""
    now = whole(clock())
    onboarding_id = new_id()
    held = status in ("connected", "access_lost")
    values: dict[str, Any] = {
        "id": onboarding_id,
        "tenant_id": tenant_id,
        "account_id": account_id,
        "method": method,
        "tier": "read",
        "regions": ("eu-west-1",),
        "label": None,
        "status": status,
        "created_at": now,
        "updated_at": now,
        "actor": "test",
        "connected_at": now if held else None,
        "last_verified_at": now if held else None,
    }
    if method == "role":
        values["external_id"] = new_id()
        values["role_arn"] = f"arn:aws:iam::{account_id}:role/TidegateAccess-{onboarding_id[:8]}"
    return DynamoRegistrations(TenantScope(tenant_id)).create(Registration(**{**values, **more}))


@dataclass(frozen=True)
class Seen:
    """One unit of a discovery: what a service gave in a region."""

    names: Sequence[str] = ()
    service: str = SERVICE
    region: str = "eu-west-1"
    type: str = "ec2:instance"
    status: str = "ok"
    missing_actions: tuple[str, ...] = ()
    reason: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


def add_inventory(
    registration: Registration, *seen: Seen, clock: Clock = system_clock, finish: bool = True
) -> Run:
    """Store a discovery run of a registration with these units."""
    now = whole(clock())
    scope = TenantScope(registration.tenant_id)
    store = DynamoDiscoveryRepository(scope)
    run = store.begin(
        Run(
            id=new_id(),
            tenant_id=registration.tenant_id,
            onboarding_id=registration.id,
            account_id=registration.account_id,
            generation=0,
            status="running",
            wanted_regions=(),
            wanted_services=(),
            started_at=now,
            deadline_at=now + timedelta(hours=1),
        ),
        now,
    )
    units = store.plan(run, [Unit(each.region, each.service) for each in seen], now)
    by_key = {unit.key: unit for unit in units}
    for each in seen:
        before = by_key[f"{each.region}/{each.service}"]
        _store_unit(store, run, before, each, now)
    if finish:
        done = {**vars(run), "status": "completed", "completed_at": now}
        store.complete(Run(**done), now)
        onboarding.mark_discovered(scope, registration.id, run.id, now)
    return run


def _store_unit(
    store: DynamoDiscoveryRepository, run: Run, before: Unit, seen: Seen, now: datetime
) -> None:
    rows = [_row(run, seen, name, now) for name in seen.names]
    after = {
        **vars(before),
        "status": seen.status,
        "page": before.page + 1,
        "resource_count": None if seen.status == "denied" else len(rows),
        "listed": seen.status == "ok",
        "missing_actions": seen.missing_actions,
        "reason": seen.reason,
    }
    writes = [RowWrite(row, None, 1) for row in rows]
    store.commit_page(run, before, Unit(**after), writes, now)


def _row(run: Run, seen: Seen, name: str, now: datetime) -> Row:
    region = "" if seen.region == GLOBAL else seen.region
    arn = f"arn:aws:ec2:{region}:{run.account_id}:instance/{name}"
    resource = Resource(
        id=resource_id(run.tenant_id, run.account_id, arn),
        arn=arn,
        type=seen.type,
        name=name,
        account_id=run.account_id,
        region=seen.region,
        state="running",
        tags=dict(seen.tags),
        attributes={},
        metrics={},
        unknown=(),
        fingerprint="0" * 64,
        first_seen_at=now,
        last_seen_at=now,
        unchanged_since=now,
    )
    return Row(resource, seen.service, seen.region, seen_run=run.id, first_run=run.id)


def whole(moment: datetime) -> datetime:
    """Whole milliseconds, as the API shows."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
