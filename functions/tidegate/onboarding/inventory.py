"""What onboarding asks of discovery: start a run, show it, forget an account."""

from __future__ import annotations

from collections.abc import Sequence

from tidegate_kit.clock import Clock
from tidegate_kit.errors import Conflict, Detail, ServiceUnavailable, Unprocessable
from tidegate_kit.ids import new_id
from tidegate_kit.observability import logger
from tidegate_kit.tenancy import TenantScope

from tidegate.discovery import public as discovery
from tidegate.onboarding.domain import Registration
from tidegate.onboarding.settings import OnboardingSettings
from tidegate.pipelines import public as pipelines


def start(
    settings: OnboardingSettings,
    registration: Registration,
    run_id: str,
    clock: Clock,
    *,
    regions: Sequence[str] | None = None,
    services: Sequence[str] | None = None,
) -> None:
    """Start a discovery run; the same run id again does nothing.

    Raises DiscoveryRunning (409 DISCOVERY_RUNNING), ServiceUnavailable.
    """
    request = discovery.DiscoveryRequest(
        tenant_id=registration.tenant_id,
        onboarding_id=registration.id,
        account_id=registration.account_id,
        regions=tuple(registration.regions if regions is None else regions),
        services=services,
        run_id=run_id,
    )
    discovery.start(settings, request, clock)


def start_first(settings: OnboardingSettings, registration: Registration, clock: Clock) -> None:
    """Start the run that connecting an account has stored.

    The connection is committed with the run's id, and the table's stream starts the same run; so
    an answer that does not come here only makes the start later.
    """
    if registration.discovery_run_id is None:
        return
    try:
        start(settings, registration, registration.discovery_run_id, clock)
    except (Conflict, ServiceUnavailable) as error:
        logger.warning("discovery is left to the stream", code=error.code, cause=error.log)


def start_again(
    settings: OnboardingSettings,
    registration: Registration,
    clock: Clock,
    regions: Sequence[str] | None,
    services: Sequence[str] | None,
) -> str:
    """Start another run; its id. Raises DiscoveryRunning, Unprocessable for unknown services."""
    if services is not None and not set(services) <= set(discovery.service_names()):
        raise Unprocessable(details=[Detail("services", "names a service that is not read")])
    run_id = new_id()
    start(settings, registration, run_id, clock, regions=regions, services=services)
    return run_id


def latest(registration: Registration) -> discovery.DiscoveryView | None:
    """The latest run of a registration; None: not started."""
    scope = TenantScope(registration.tenant_id)
    return discovery.discovery_view(scope, registration.id)


def run_status(registration: Registration) -> str:
    """The status of the registration's latest run."""
    view = latest(registration)
    return "running" if view is None else view.status


def drop_plans(tenant_id: str, onboarding_id: str) -> None:
    """Delete the open plans of a disconnected registration (CLI-2)."""
    from tidegate.findings import public as findings  # here: plans in turn ask for connections

    findings.drop_open_plans(TenantScope(tenant_id), onboarding_id, by="system")


def clean_up(tenant_id: str, account_id: str) -> None:
    """Take a disconnected account's data out of all reads, then delete it (CLI-2)."""
    from tidegate.findings import public as findings  # here: plans in turn ask for connections

    scope = TenantScope(tenant_id)
    discovery.hide_account(scope, account_id)
    pipelines.hide_account(scope, account_id)
    # Findings belong to the inventory's life, which has just ended: they are hidden with it.
    discovery.delete_account(scope, account_id)
    pipelines.delete_account(scope, account_id)
    findings.delete_account(scope, account_id)
