"""What other domains may use of realtime."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tidegate_kit.tenancy import TenantScope

from tidegate.realtime.repository.connections import GlobalConnections
from tidegate.realtime.repository.events import DynamoEvents, NewEvent


def publish(
    scope: TenantScope,
    event_type: str,
    data: Mapping[str, Any],
    *,
    source_id: str,
    now: datetime,
    user_id: str | None = None,
) -> int | None:
    """Tell the tenant's sockets (or one member's). The same source twice tells once.

    Gives the event's sequence number, None for a repeated source.
    """
    return DynamoEvents(scope).append(NewEvent(source_id, event_type, data, user_id), now)


def connected_tenants() -> list[TenantScope]:
    """Every tenant with an open socket, once each."""
    found = {scope.tenant_id: scope for scope, _ in GlobalConnections().all()}
    return list(found.values())
