"""Builds the services of one call."""

from __future__ import annotations

from functools import cache

from tidegate_kit.clients import kms_sealer
from tidegate_kit.clock import system_clock
from tidegate_kit.http import Call
from tidegate_kit.ids import new_id
from tidegate_kit.outbound import OutboundClient, OutboundPolicy
from tidegate_kit.settings import Settings, settings_of
from tidegate_kit.tenancy import TenantScope, UserScope

from tidegate.integrations.repository import DynamoAccounts, DynamoSecrets, DynamoTargets
from tidegate.integrations.service.accounts import AccountService
from tidegate.integrations.service.secrets import SecretService
from tidegate.integrations.service.targets import TargetService
from tidegate.integrations.settings import IntegrationsSettings
from tidegate.integrations.vault import Vault


def accounts_for(call: Call) -> AccountService:
    """Accounts of the caller."""
    scope = call.principal.user
    return AccountService(DynamoAccounts(scope), _vault(scope), _check_url, system_clock)


def targets_for(call: Call) -> TargetService:
    """Communication targets of the caller."""
    return TargetService(DynamoTargets(call.principal.user), system_clock, new_id)


def secrets_of(scope: TenantScope) -> SecretService:
    """Secrets of a tenant; built for steps of workflows too."""
    return SecretService(DynamoSecrets(scope), _vault(scope), system_clock)


def _vault(scope: TenantScope | UserScope) -> Vault:
    return Vault(kms_sealer(settings_of(Settings)), scope)


def _check_url(url: str) -> None:
    _client(OutboundPolicy.of(settings_of(IntegrationsSettings))).check(url, allow_local=True)


@cache
def _client(policy: OutboundPolicy) -> OutboundClient:
    return OutboundClient(policy)
