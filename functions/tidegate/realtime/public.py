"""What other domains may use of realtime."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tidegate_kit.clients import socket_client
from tidegate_kit.settings import Settings
from tidegate_kit.tenancy import TenantScope

from tidegate.realtime.repository.connections import DynamoConnections, GlobalConnections
from tidegate.realtime.repository.events import DynamoEvents, NewEvent
from tidegate.realtime.service.gateway import ApiGateway


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


def forget_tenant(settings: Settings, callback_url: str, scope: TenantScope) -> None:
    """Close every socket of a tenant; the rows are the caller's to delete. Raises 503."""
    gateway = ApiGateway(socket_client(callback_url, settings.aws_region))
    connections = DynamoConnections(scope)
    for connection_id in connections.ids():
        gateway.close(connection_id)
        connection = connections.get(connection_id)
        if connection is not None:
            connections.remove(connection)
