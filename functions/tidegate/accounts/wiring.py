"""Onboarding and discovery, bound to one tenant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from tidegate_kit.settings import Settings
from tidegate_kit.tenancy import TenantScope

from tidegate.accounts.grants import RoleGrants
from tidegate.accounts.role_reader import role_grants
from tidegate.accounts.service import Accounts
from tidegate.discovery import public as discovery
from tidegate.discovery.public import DiscoveryView, Resource, ResourceFilters, Totals
from tidegate.findings import public as findings
from tidegate.findings.public import OpenSummary
from tidegate.governance import public as governance
from tidegate.lab import public as lab
from tidegate.onboarding import public as onboarding
from tidegate.onboarding.public import Connection
from tidegate.pipelines import public as pipelines
from tidegate.pipelines.public import CostPoint
from tidegate.workflows.public import activity as workflows
from tidegate.workflows.public.activity import Activity

_INLINE_STEPS = 1  # batches that a call deletes itself; the stream's consumer does the rest


@dataclass(frozen=True)
class TenantConnections:
    """Connections through onboarding's public functions. `now` is the call's instant."""

    settings: Settings
    scope: TenantScope
    now: datetime

    def all(self) -> list[Connection]:
        return onboarding.connections(self.scope, lambda: self.now)

    def get(self, onboarding_id: str) -> Connection | None:
        return onboarding.connection(self.scope, onboarding_id, lambda: self.now)

    def grants(self, connection: Connection) -> RoleGrants | None:
        return role_grants(self.settings, connection)

    def disconnect(self, onboarding_id: str, actor: str) -> Connection:
        return onboarding.disconnect(
            self.settings, self.scope, onboarding_id, actor=actor, clock=lambda: self.now
        )


@dataclass(frozen=True)
class TenantInventory:
    """Inventory through discovery's public functions. `now` is the call's instant."""

    scope: TenantScope
    now: datetime

    def totals(self) -> Totals:
        return discovery.resource_totals(self.scope)

    def view(self, onboarding_id: str) -> DiscoveryView | None:
        return discovery.discovery_view(self.scope, onboarding_id, lambda: self.now)

    def resources(
        self, filters: ResourceFilters, skip: int, limit: int, start: Mapping[str, Any] | None
    ) -> tuple[list[Resource], int, dict[str, Any] | None]:
        return discovery.list_resources(self.scope, filters, skip, limit, start)

    def hide(self, account_id: str) -> None:
        discovery.hide_account(self.scope, account_id, lambda: self.now)

    def delete_some(self, account_id: str) -> bool:
        return discovery.delete_account(self.scope, account_id, steps=_INLINE_STEPS)

    def needs(self) -> Mapping[str, Sequence[str]]:
        return discovery.service_actions()


@dataclass(frozen=True)
class TenantCosts:
    """Costs through the public functions of pipelines. `now` is the call's instant."""

    scope: TenantScope
    now: datetime

    def series(self) -> Sequence[CostPoint]:
        today = self.now.astimezone(UTC).date()
        last_month = (today.replace(day=1) - timedelta(days=1)).replace(day=1)
        return pipelines.cost_series(self.scope, None, None, None, last_month, today)

    def hide(self, account_id: str) -> None:
        pipelines.hide_account(self.scope, account_id, lambda: self.now)

    def delete_some(self, account_id: str) -> bool:
        return pipelines.delete_account(self.scope, account_id, steps=_INLINE_STEPS)


@dataclass(frozen=True)
class TenantFindings:
    """Findings through their public functions. `now` is the call's instant."""

    scope: TenantScope
    now: datetime

    def summary(self, top: int) -> OpenSummary:
        return findings.open_summary(self.scope, lambda: self.now, top=top)

    def of_account(self, account_id: str) -> int:
        return findings.open_of_account(self.scope, account_id)

    def plans(self, onboarding_id: str) -> int:
        return findings.open_plans(self.scope, onboarding_id)

    def drop_plans(self, onboarding_id: str, by: str) -> None:
        findings.drop_open_plans(self.scope, onboarding_id, by=by, clock=lambda: self.now)

    def realised(self) -> Decimal:
        return findings.realised_to_date(self.scope, lambda: self.now)

    def executing(self, account_id: str) -> bool:
        return findings.plan_executing(self.scope, account_id)

    def needs(self, *, remediate: bool) -> Mapping[str, Sequence[str]]:
        needs = {**findings.check_needs(), **findings.advice_needs()}
        return {**needs, **(findings.action_needs() if remediate else {})}

    def delete_some(self, account_id: str) -> bool:
        return findings.delete_account(self.scope, account_id, steps=_INLINE_STEPS)


@dataclass(frozen=True)
class TenantWork:
    """Workflows and approvals through their public functions. `now` is the call's instant."""

    scope: TenantScope
    now: datetime

    def activity(self) -> Activity:
        return workflows.activity(self.scope, self.now)

    def pending_approvals(self) -> int:
        own = governance.pending_approvals(self.scope, self.now)
        return own + workflows.pending_approvals(self.scope, self.now)


def accounts(settings: Settings, scope: TenantScope, now: datetime) -> Accounts:
    """The accounts of a tenant, at the instant of a call."""
    return Accounts(
        TenantConnections(settings, scope, now),
        TenantInventory(scope, now),
        TenantCosts(scope, now),
        TenantFindings(scope, now),
        lambda: lab.running(scope, clock=lambda: now),
        TenantWork(scope, now),
    )
