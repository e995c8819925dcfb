"""What other domains may use of discovery."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tidegate_kit.clock import Clock, system_clock
from tidegate_kit.tenancy import TenantScope

from tidegate.discovery import inventory as inventories
from tidegate.discovery import service, views
from tidegate.discovery.collectors import COLLECTORS
from tidegate.discovery.domain import (
    GLOBAL,
    DiscoveryRequest,
    DiscoveryView,
    Found,
    RegionView,
    Resource,
    ResourceFilters,
    ServiceView,
    Totals,
)
from tidegate.discovery.engine.prepare import DESCRIBE_REGIONS
from tidegate.discovery.errors import DiscoveryRunning
from tidegate.discovery.inventory import Coverage, Inventory
from tidegate.discovery.repository import DynamoDiscoveryRepository
from tidegate.discovery.reread import ReadAgainFailed, ResourceRef, read_again, reread_actions
from tidegate.discovery.settings import StarterSettings
from tidegate.discovery.wiring import snapshots_for

__all__ = [
    "GLOBAL",
    "Coverage",
    "DiscoveryRequest",
    "DiscoveryRunning",
    "DiscoveryView",
    "Found",
    "Inventory",
    "ReadAgainFailed",
    "RegionView",
    "Resource",
    "ResourceFilters",
    "ResourceRef",
    "ServiceView",
    "Totals",
    "declared_actions",
    "delete_account",
    "discovery_view",
    "generation",
    "generations",
    "hide_account",
    "inventory",
    "list_resources",
    "read_again",
    "reread_actions",
    "resource_totals",
    "service_actions",
    "service_names",
    "start",
]


def start(settings: StarterSettings, request: DiscoveryRequest, clock: Clock) -> None:
    """Store the run and start the state machine; the same run id again does nothing new.

    Raises DiscoveryRunning (409) while another run of the account goes on, ServiceUnavailable.
    """
    launch = service.launcher(settings.discovery_machine_arn, settings.aws_region)
    repository = DynamoDiscoveryRepository(TenantScope(request.tenant_id))
    service.start(repository, request, launch, clock())


def discovery_view(
    scope: TenantScope, onboarding_id: str, clock: Clock = system_clock
) -> DiscoveryView | None:
    """The latest run of an onboarding (contract 2.9 `discovery->`); None: not started."""
    return views.discovery_view(DynamoDiscoveryRepository(scope), onboarding_id, clock())


def list_resources(
    scope: TenantScope,
    filters: ResourceFilters,
    skip: int,
    limit: int,
    start_key: Mapping[str, Any] | None = None,
) -> tuple[list[Resource], int, dict[str, Any] | None]:
    """Living resources, newest first: (rows, total, next_key or None on the last page)."""
    return views.list_resources(DynamoDiscoveryRepository(scope), filters, skip, limit, start_key)


def resource_totals(scope: TenantScope) -> Totals:
    """How many living resources there are: in all, by type, by account."""
    return views.totals(DynamoDiscoveryRepository(scope))


def inventory(scope: TenantScope, account_id: str, at: datetime | None = None) -> Inventory | None:
    """The newest recorded inventory of a connected account, or the newest of `at` and before.

    None where there is none. Needs DATA_BUCKET.
    """
    return inventories.inventory(
        DynamoDiscoveryRepository(scope), snapshots_for(scope), account_id, at
    )


def generations(scope: TenantScope) -> dict[str, int]:
    """The present generation of every account that was ever discovered.

    It counts the disconnects: what is derived from an inventory belongs to its generation, and is
    out of reach when that has ended (CLI-2).
    """
    states = DynamoDiscoveryRepository(scope).accounts()
    return {account_id: state.generation for account_id, state in states.items()}


def generation(scope: TenantScope, account_id: str) -> int:
    """The present generation of one account, read consistently."""
    return DynamoDiscoveryRepository(scope).account(account_id).generation


def hide_account(scope: TenantScope, account_id: str, clock: Clock = system_clock) -> None:
    """Take the account's inventory and runs out of every read at once (CLI-2)."""
    DynamoDiscoveryRepository(scope).hide(account_id, clock())


def delete_account(scope: TenantScope, account_id: str, steps: int | None = None) -> bool:
    """Delete what `hide_account` hid, rows and S3 objects, in at most `steps` batches of 500.

    True when nothing is left; may be killed and called again. Needs DATA_BUCKET.
    """
    return service.delete_account(
        DynamoDiscoveryRepository(scope), snapshots_for(scope), account_id, steps
    )


def declared_actions() -> tuple[str, ...]:
    """Every IAM action that a discovery may call in a customer account, sorted."""
    actions = {action for collector in COLLECTORS.values() for action in collector.actions}
    return tuple(sorted({*actions, DESCRIBE_REGIONS.action}))


def service_actions() -> dict[str, tuple[str, ...]]:
    """The IAM actions that reading each service needs, sorted, by service."""
    regions = {DESCRIBE_REGIONS.action}
    return {
        name: tuple(sorted({*collector.actions, *regions}))
        for name, collector in COLLECTORS.items()
    }


def service_names() -> tuple[str, ...]:
    """The services that a run may be limited to (rediscover `services`)."""
    return tuple(COLLECTORS)
