"""Builds the services of one call."""

from __future__ import annotations

import time
from functools import cache
from typing import TYPE_CHECKING

from tidegate_kit.clients import kms_sealer
from tidegate_kit.clock import Clock, system_clock
from tidegate_kit.ids import IdFactory, new_id, new_secret
from tidegate_kit.outbound import OutboundClient, OutboundPolicy
from tidegate_kit.settings import settings_of
from tidegate_kit.tenancy import UserScope

from tidegate.calendar.repository.connections import DynamoConnections
from tidegate.calendar.repository.events import DynamoEvents
from tidegate.calendar.repository.tasks import DynamoTasks
from tidegate.calendar.service.events import EventService
from tidegate.calendar.service.files import FileService
from tidegate.calendar.service.oauth import OAuthService, Provider
from tidegate.calendar.service.tasks import TaskService
from tidegate.calendar.settings import CalendarSettings
from tidegate.calendar.sync.google import GoogleClient
from tidegate.calendar.sync.service import SyncService
from tidegate.calendar.sync.tokens import TokenVault

if TYPE_CHECKING:
    from tidegate_kit.http import Call


def events_for(
    scope: UserScope, clock: Clock = system_clock, ids: IdFactory = new_id
) -> EventService:
    """Events of one user."""
    return EventService(DynamoEvents(scope), DynamoConnections(scope), clock, ids)


def tasks_for(call: Call, clock: Clock = system_clock, ids: IdFactory = new_id) -> TaskService:
    """Tasks of the caller."""
    return TaskService(DynamoTasks(call.principal.user), clock, ids)


def files_for(call: Call, clock: Clock = system_clock, ids: IdFactory = new_id) -> FileService:
    """iCalendar files of the caller."""
    return FileService(DynamoEvents(call.principal.user), clock, ids)


def oauth_for(call: Call) -> OAuthService:
    """The caller's connection."""
    settings = settings_of(CalendarSettings)
    scope = call.principal.user
    provider = Provider(
        settings.google_oauth_url, settings.google_issuer, settings.google_client_id
    )
    return OAuthService(
        DynamoConnections(scope),
        _vault(scope, settings),
        _google(settings),
        provider,
        frozenset({*settings.cors_origin_list, settings.public_base_url}),
        system_clock,
        new_id,
        new_secret,
    )


def sync_for(call: Call) -> SyncService:
    """The caller's sync."""
    settings = settings_of(CalendarSettings)
    scope = call.principal.user
    return SyncService(
        DynamoEvents(scope),
        DynamoConnections(scope),
        _google(settings),
        _vault(scope, settings),
        system_clock,
        new_id,
        time.sleep,
    )


def _vault(scope: UserScope, settings: CalendarSettings) -> TokenVault:
    return TokenVault(kms_sealer(settings), scope)


@cache
def _google(settings: CalendarSettings) -> GoogleClient:
    secret = settings.google_client_secret
    return GoogleClient(
        OutboundClient(OutboundPolicy.of(settings)),
        settings.google_base_url,
        settings.google_token_url,
        settings.google_revoke_url,
        settings.google_client_id or "",
        secret.get_secret_value() if secret is not None else "",
    )


def vault_of(scope: UserScope) -> TokenVault:
    """The user's stored tokens."""
    return _vault(scope, settings_of(CalendarSettings))


def google_client() -> GoogleClient:
    """Google, as this deployment knows it."""
    return _google(settings_of(CalendarSettings))
