"""Builds the tests of accounts. Apart from `wiring`, which steps of workflows import too."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from tidegate_kit.clock import Clock, system_clock
from tidegate_kit.errors import ApiError
from tidegate_kit.outbound import OutboundPolicy
from tidegate_kit.settings import settings_of
from tidegate_kit.tenancy import UserScope

from tidegate.calendar import public as calendar
from tidegate.identity import public as identity
from tidegate.integrations.channels import Adapter, ChannelError
from tidegate.integrations.domain import AccountType
from tidegate.integrations.repository import DynamoGlobalAccounts, DynamoHealth
from tidegate.integrations.service.checks import CheckService, probe_crm
from tidegate.integrations.service.sweeping import HealthSweep
from tidegate.integrations.settings import ChannelSettings
from tidegate.integrations.wiring import accounts_of, channel_parts, outbound_client


class SystemProbes:
    """Tests of one user's accounts against the real providers."""

    def __init__(self, scope: UserScope, clock: Clock) -> None:
        self._scope = scope
        self._clock = clock
        self._settings: ChannelSettings = settings_of(ChannelSettings)

    def adapter(self, kind: AccountType, configuration: Mapping[str, Any]) -> Adapter | None:
        """The channel that the account is."""
        return channel_parts(self._settings, self._clock).adapter(kind, configuration)

    def crm(self, configuration: Mapping[str, Any]) -> None:
        """GET base_url."""
        probe_crm(outbound_client(OutboundPolicy.of(self._settings)), configuration)

    def calendar(self) -> None:
        """One call of the user's Google calendar."""
        try:
            calendar.check_connection(self._scope, self._clock)
        except ApiError as error:
            raise ChannelError(error.code, error.message) from error


def checks_of(scope: UserScope, clock: Clock = system_clock) -> CheckService:
    """Tests of a user's accounts."""
    probes = SystemProbes(scope, clock)
    return CheckService(accounts_of(scope), DynamoHealth(scope), probes, clock, time.monotonic)


def health_sweep() -> HealthSweep:
    """Checks of every tenant's accounts."""
    return HealthSweep(DynamoGlobalAccounts(), checks_of, identity.tenant_is_active)
