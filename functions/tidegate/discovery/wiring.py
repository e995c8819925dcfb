"""Builds the engine of one tenant from the function's settings."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from tidegate_kit.aws_session import AccessDeniedByAccount, session_policy
from tidegate_kit.clock import system_clock
from tidegate_kit.dynamo import Store, configure_store
from tidegate_kit.errors import NotFound
from tidegate_kit.observability import identify
from tidegate_kit.settings import settings_of
from tidegate_kit.tenancy import TenantScope

from tidegate.discovery.collectors import COLLECTORS
from tidegate.discovery.collectors.base import ClientSource
from tidegate.discovery.domain import Run
from tidegate.discovery.engine.ports import AccessLost, Engine, home_region
from tidegate.discovery.repository import DynamoDiscoveryRepository
from tidegate.discovery.settings import DiscoverySettings
from tidegate.discovery.snapshots import S3Objects, Snapshots

_PAGES_FOR_SECONDS = 20.0  # then the state machine calls again: progress shows, no time-out looms
_MARGIN_MILLIS = 60_000


def cold_start() -> DiscoverySettings:
    """Settings, log fields and store of this process."""
    settings: DiscoverySettings = settings_of(DiscoverySettings)
    configure_store(Store(settings.table_prefix, settings.aws_region))
    identify(settings, "discovery")
    return settings


def snapshots_for(scope: TenantScope) -> Snapshots:
    """The tenant's snapshots in the data bucket."""
    settings = settings_of(DiscoverySettings)
    return Snapshots(scope, S3Objects(settings.data_bucket, settings.aws_region))


def engine_for(scope: TenantScope, context: Any = None) -> Engine:
    """The engine of one tenant, with the time that this invocation has."""
    settings = settings_of(DiscoverySettings)
    return Engine(
        scope=scope,
        repository=DynamoDiscoveryRepository(scope),
        snapshots=snapshots_for(scope),
        account=ConnectedAccount(settings, scope),
        collectors=COLLECTORS,
        clock=system_clock,
        home_region=home_region(settings.aws_region),
        has_time=_time_left(context),
    )


class ConnectedAccount:
    """The account of a run, through onboarding's connections."""

    def __init__(self, settings: DiscoverySettings, scope: TenantScope) -> None:
        self._settings = settings
        self._scope = scope

    def open(self, run: Run, actions: Sequence[str]) -> ClientSource:
        """See engine.ports.Account."""
        from tidegate.onboarding import public as onboarding

        connection = onboarding.connection(self._scope, run.onboarding_id)
        # The run's account must be the connection's own: never tenant A with B's account (G21).
        if connection is None or connection.status == "disconnected":
            raise AccessLost
        if connection.account_id != run.account_id:
            raise AccessLost
        try:
            session: ClientSource = onboarding.open_session(
                self._settings, connection, purpose="read", policy=session_policy(actions)
            )
        except (AccessDeniedByAccount, NotFound) as error:
            raise AccessLost from error
        return session

    def discovered(self, run: Run, at: datetime) -> None:
        """See engine.ports.Account."""
        from tidegate.onboarding import public as onboarding

        onboarding.mark_discovered(self._scope, run.onboarding_id, run.id, at)


def _time_left(context: Any) -> Callable[[], bool]:
    end = time.monotonic() + _PAGES_FOR_SECONDS

    def has_time() -> bool:
        if context is not None and context.get_remaining_time_in_millis() < _MARGIN_MILLIS:
            return False
        return time.monotonic() < end

    return has_time
