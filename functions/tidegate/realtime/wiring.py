"""Builds the services of the realtime functions. Knows nothing of HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from tidegate_kit.auth.authenticate import DynamoMemberStore
from tidegate_kit.auth.build import build_authenticator
from tidegate_kit.clients import socket_client
from tidegate_kit.clock import system_clock
from tidegate_kit.dynamo import Store, configure_store
from tidegate_kit.observability import identify
from tidegate_kit.settings import Settings, settings_of
from tidegate_kit.tenancy import TenantScope

from tidegate.realtime.repository.connections import DynamoConnections
from tidegate.realtime.repository.events import DynamoEvents, NewEvent
from tidegate.realtime.repository.tickets import GlobalTickets
from tidegate.realtime.service.delivery import Delivery
from tidegate.realtime.service.feed import Feed
from tidegate.realtime.service.frames import Frames
from tidegate.realtime.service.gateway import ApiGateway, Gateway
from tidegate.realtime.service.handshake import Handshake
from tidegate.realtime.service.sweep import Sweep
from tidegate.realtime.settings import FeedSettings, SocketSettings
from tidegate.workflows.public import execution_progress


@cache
def _configure(settings: Settings) -> None:
    configure_store(Store(settings.table_prefix, settings.aws_region))
    identify(settings, "realtime")


def start_sockets() -> SocketSettings:
    """What a socket function needs before its first read; once per process."""
    settings: SocketSettings = settings_of(SocketSettings)
    _configure(settings)
    return settings


def gateway() -> Gateway:
    """The management API of our WebSocket API."""
    settings = start_sockets()
    return ApiGateway(socket_client(settings.ws_callback_url, settings.aws_region))


def handshake() -> Handshake:
    """For `$connect`."""
    settings = start_sockets()
    return Handshake(
        build_authenticator(settings, system_clock), DynamoMemberStore(), GlobalTickets(),
        gateway(), system_clock,
    )  # fmt: skip


def delivery(scope: TenantScope) -> Delivery:
    """For one tenant."""
    return Delivery(scope, gateway(), system_clock)


def frames(scope: TenantScope) -> Frames:
    """For one tenant."""
    return Frames(
        DynamoConnections(scope), DynamoEvents(scope), delivery(scope), gateway(), system_clock
    )


def sweep() -> Sweep:
    """For the minute schedule."""
    return Sweep(DynamoMemberStore(), gateway(), system_clock)


def feed() -> Feed:
    """For the workflows stream."""
    _configure(settings_of(FeedSettings))
    return Feed(execution_progress, DynamoEvents, system_clock)


def alert(scope: TenantScope, source_id: str, data: Mapping[str, Any]) -> int | None:
    """Tell a tenant of an alert; its number, None if it was told before."""
    _configure(settings_of(Settings))
    told = {name: str(data[name]) for name in ("severity", "component", "status", "message")}
    event = NewEvent(f"alert:{source_id}", "system_alert", told)
    return DynamoEvents(scope).append(event, system_clock())
