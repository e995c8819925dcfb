"""Connected accounts and their discoveries, through onboarding's and discovery's public parts."""

from __future__ import annotations

from dataclasses import dataclass

from tidegate_kit.clock import Clock
from tidegate_kit.tenancy import TenantScope

from tidegate.discovery import public as discovery
from tidegate.discovery.public import DiscoveryRequest, DiscoveryView
from tidegate.onboarding import public as onboarding
from tidegate.pipelines.service.ports import Account, RunView
from tidegate.pipelines.settings import PipelinesSettings


@dataclass(frozen=True)
class ConnectedAccounts:
    """Accounts of one tenant."""

    scope: TenantScope

    def connected(self) -> list[Account]:
        """See ports.Accounts."""
        return [
            Account(one.id, one.account_id, one.regions)
            for one in onboarding.connections(self.scope)
            if one.status == "connected"
        ]


@dataclass(frozen=True)
class AccountDiscovery:
    """Discovery of one tenant's accounts."""

    settings: PipelinesSettings
    scope: TenantScope
    clock: Clock

    def start(self, account: Account, run_id: str) -> None:
        """See ports.Discovery."""
        request = DiscoveryRequest(
            tenant_id=self.scope.tenant_id,
            onboarding_id=account.id,
            account_id=account.account_id,
            regions=account.regions,
            services=None,
            run_id=run_id,
        )
        discovery.start(self.settings, request, self.clock)

    def view(self, account: Account) -> RunView | None:
        """See ports.Discovery."""
        found = discovery.discovery_view(self.scope, account.id, self.clock)
        if found is None:
            return None
        return RunView(found.run_id, found.status, found.resources_found, _gaps(found))


def _gaps(view: DiscoveryView) -> tuple[str, ...]:
    return tuple(
        f"{service.service} in {region.region} {service.status}"
        for region in view.regions
        for service in region.services
        if service.status not in ("ok", "pending")
    )
