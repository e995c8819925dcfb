"""Builds the services of pipelines."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any

from tidegate_kit.auth.principal import Principal
from tidegate_kit.aws_session import CustomerSession
from tidegate_kit.budget_store import DynamoGlobalReservations
from tidegate_kit.budgets import Budgets
from tidegate_kit.clock import Clock, system_clock
from tidegate_kit.dynamo import Store, configure_store
from tidegate_kit.errors import NotFound
from tidegate_kit.ids import new_id
from tidegate_kit.observability import identify
from tidegate_kit.settings import settings_of
from tidegate_kit.tenancy import TenantScope

from tidegate.identity import public as identity
from tidegate.onboarding import public as onboarding
from tidegate.pipelines.adapters.accounts import AccountDiscovery, ConnectedAccounts
from tidegate.pipelines.adapters.cost_explorer import SessionCostExplorer
from tidegate.pipelines.adapters.files import S3CostFiles
from tidegate.pipelines.budget import budget_store
from tidegate.pipelines.executions import PipelineName
from tidegate.pipelines.models import API_BUDGET
from tidegate.pipelines.repository import DynamoCostSeries, DynamoExecutions, GlobalPipelines
from tidegate.pipelines.service.ports import Account, RefreshView
from tidegate.pipelines.service.runs import Runs, machine_launcher, machine_stopper
from tidegate.pipelines.service.ticks import TickParts
from tidegate.pipelines.service.work import Parts
from tidegate.pipelines.settings import PipelinesSettings

_STEPS_FOR_SECONDS = 60.0  # then the state machine calls again
_MARGIN_MILLIS = 60_000


def start_task() -> PipelinesSettings:
    """Settings, log fields and store of a worker function."""
    settings: PipelinesSettings = settings_of(PipelinesSettings)
    configure_store(Store(settings.table_prefix, settings.aws_region))
    identify(settings, "pipelines")
    return settings


def reservations() -> DynamoGlobalReservations:
    """Every tenant's open reservations."""
    return DynamoGlobalReservations(API_BUDGET)


def runs_of(
    tenant_id: str, clock: Clock = system_clock, principal: Principal | None = None
) -> Runs:
    """The pipelines of a tenant, run for a caller or by the platform (None)."""
    settings: PipelinesSettings = settings_of(PipelinesSettings)
    machine, region = settings.pipeline_machine_arn, settings.aws_region
    return Runs(
        tenant_id,
        store_of(tenant_id),
        machine_launcher(machine, region),
        machine_stopper(machine, region),
        partial(_permit, TenantScope(tenant_id), principal, clock),
        clock,
    )


def store_of(tenant_id: str) -> DynamoExecutions:
    """The stored pipelines of a tenant."""
    return DynamoExecutions(TenantScope(tenant_id))


def tick_parts(clock: Clock = system_clock) -> TickParts:
    """What a tick is made of."""
    return TickParts(
        everything=GlobalPipelines(),
        store_of=store_of,
        runs_of=partial(runs_of, clock=clock),
        active=lambda tenant_id: identity.tenant_is_active(TenantScope(tenant_id)),
        clock=clock,
    )


def _permit(
    scope: TenantScope, principal: Principal | None, clock: Clock, name: PipelineName
) -> None:
    # Here, because most calls and tasks start nothing and should not wait for the import.
    from tidegate.governance import public as governance

    who = (
        governance.PolicyPrincipal("system", ("system",))
        if principal is None
        else governance.policy_principal(principal)
    )
    resource = governance.PolicyResource(arn=name, type="pipeline")
    governance.permit(scope, who, "pipeline.run", resource, clock=clock)


def parts_of(scope: TenantScope, context: Any = None, clock: Clock = system_clock) -> Parts:
    """The parts of the stages of a tenant, with the time that this invocation has."""
    settings: PipelinesSettings = settings_of(PipelinesSettings)
    runs = runs_of(scope.tenant_id, clock)

    def start(name: PipelineName, execution_id: str) -> object:
        return runs.start(name, execution_id, "event")

    return Parts(
        tenant_id=scope.tenant_id,
        executions=store_of(scope.tenant_id),
        costs=DynamoCostSeries(scope),
        budgets=Budgets(budget_store(scope.tenant_id), clock, new_id),
        accounts=ConnectedAccounts(scope),
        discovery=AccountDiscovery(settings, scope, clock),
        explorer=SessionCostExplorer(partial(_open_client, settings, scope)),
        files=S3CostFiles(scope, settings.data_bucket, settings.aws_region),
        findings=DomainFindings(scope),
        lab=DomainLab(scope),
        start=start,
        clock=clock,
        has_time=_time_left(context),
    )


def _open_client(
    settings: PipelinesSettings,
    scope: TenantScope,
    account: Account,
    policy: str,
    service: str,
    region: str,
) -> Any:
    connection = onboarding.connection(scope, account.id)
    # The account must still be the connection's own: never tenant A with B's account (G21).
    if connection is None or connection.account_id != account.account_id:
        raise NotFound
    session: CustomerSession = onboarding.open_session(
        settings, connection, purpose="read", policy=policy
    )
    return session.client(service, region)


@dataclass(frozen=True)
class DomainFindings:
    """Findings of one tenant. Imported at use: only its two stages pay for it."""

    scope: TenantScope

    def refresh(self, refresh_id: str, trigger: str) -> None:
        """See ports.Findings."""
        from tidegate.findings import public as findings

        findings.refresh(self.scope, None, None, trigger, refresh_id=refresh_id)

    def refreshed(self, refresh_id: str) -> RefreshView | None:
        """See ports.Findings."""
        from tidegate.findings import public as findings

        found = findings.refresh_state(self.scope, refresh_id)
        if found is None:
            return None
        return RefreshView(found.status == "running", tuple(sorted(found.failures)))

    def measure_savings(self, day: date) -> int:
        """See ports.Findings."""
        from tidegate.findings import public as findings

        return findings.measure_savings(self.scope, day)


@dataclass(frozen=True)
class DomainLab:
    """The lab of one tenant."""

    scope: TenantScope

    def retrain(self, trigger: str) -> Sequence[str]:
        """See ports.Lab."""
        from tidegate.lab import public as lab

        return lab.retrain(self.scope, trigger)


def _time_left(context: Any) -> Callable[[], bool]:
    end = time.monotonic() + _STEPS_FOR_SECONDS

    def has_time() -> bool:
        if context is not None and context.get_remaining_time_in_millis() < _MARGIN_MILLIS:
            return False
        return time.monotonic() < end

    return has_time
