"""Builds the services of findings on this deployment. Knows nothing of HTTP."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from importlib import import_module
from typing import Any

from tidegate_kit.clock import Clock, system_clock
from tidegate_kit.dynamo import Store, configure_store
from tidegate_kit.observability import identify
from tidegate_kit.settings import Settings, settings_of
from tidegate_kit.tenancy import TenantScope

from tidegate.discovery import public as discovery
from tidegate.discovery.public import Inventory
from tidegate.findings.prices.book import PriceBook, baseline
from tidegate.findings.prices.cache import GlobalPriceCache
from tidegate.findings.prices.effective import WINDOW, ratios
from tidegate.findings.recommendations.advisor import Advisor, connected_advisor
from tidegate.findings.repository import (
    DynamoExceptions,
    DynamoFindings,
    DynamoRefreshes,
    ExceptionStore,
    FindingStore,
    RefreshStore,
)
from tidegate.findings.service.exceptions import ExceptionService
from tidegate.findings.service.queries import Queries
from tidegate.findings.service.refresh import Parts
from tidegate.findings.service.thresholds import ThresholdService
from tidegate.findings.settings import EvaluationSettings

_REGIONS_FOR_SECONDS = 20.0  # then the state machine calls again: no time-out looms
_MARGIN_MILLIS = 60_000


@dataclass(frozen=True)
class LivingAccounts:
    """repository.Living through discovery."""

    scope: TenantScope

    def one(self, account_id: str) -> int | None:
        """The present generation of an account."""
        return discovery.generation(self.scope, account_id)

    def every(self) -> Mapping[str, int]:
        """The present generation of every account."""
        return discovery.generations(self.scope)


def start_task(domain: str = "findings") -> EvaluationSettings:
    """What a function without HTTP needs before its first read; once per process."""
    settings: EvaluationSettings = settings_of(EvaluationSettings)
    _configure(settings, domain)
    return settings


@cache
def _configure(settings: Settings, domain: str) -> None:
    configure_store(Store(settings.table_prefix, settings.aws_region))
    identify(settings, domain)


def findings_of(scope: TenantScope) -> DynamoFindings:
    """The findings of a tenant."""
    return DynamoFindings(scope, LivingAccounts(scope))


def exceptions_of(scope: TenantScope) -> ExceptionStore:
    """Exceptions and thresholds of a tenant."""
    return DynamoExceptions(scope, findings_of(scope))


def refreshes_of(scope: TenantScope) -> RefreshStore:
    """Refreshes of a tenant."""
    return DynamoRefreshes(scope)


def queries_of(scope: TenantScope, clock: Clock = system_clock) -> Queries:
    """Reads of a tenant's findings."""
    store: FindingStore = findings_of(scope)
    return Queries(store, clock)


def exception_service(scope: TenantScope, clock: Clock = system_clock) -> ExceptionService:
    """Exceptions of a tenant."""
    return ExceptionService(scope.tenant_id, exceptions_of(scope), findings_of(scope), clock)


def threshold_service(scope: TenantScope, clock: Clock = system_clock) -> ThresholdService:
    """Thresholds of a tenant."""
    return ThresholdService(exceptions_of(scope), clock)


def price_cache() -> GlobalPriceCache:
    """Where loaded figures lie."""
    settings = settings_of(EvaluationSettings)
    return GlobalPriceCache(settings.data_bucket, settings.aws_region)


def prices() -> PriceBook:
    """The price book of this moment: what was loaded over the shipped baseline."""
    book, cache = baseline(), price_cache()
    loaded = [figure for region in book.regions() for figure in cache.get(region)]
    if not loaded:
        return book
    return book.with_layer(max(figure.date for figure in loaded), loaded)


def inventory_of(scope: TenantScope) -> Callable[[str, datetime | None], Inventory | None]:
    """Recorded inventories of a tenant's accounts."""
    return lambda account_id, at: discovery.inventory(scope, account_id, at)


def parts_of(scope: TenantScope, context: Any = None, clock: Clock = system_clock) -> Parts:
    """What a refresh of a tenant works with, and the time that this invocation has."""
    return Parts(
        tenant_id=scope.tenant_id,
        findings=findings_of(scope),
        exceptions=exceptions_of(scope),
        refreshes=refreshes_of(scope),
        living=LivingAccounts(scope),
        inventories=lambda account_id: discovery.inventory(scope, account_id),
        prices=prices,
        advisor=lambda inventory: advisor_of(scope, inventory),
        clock=clock,
        has_time=_time_left(context),
        ratios=lambda account_id: ratios_of(scope, account_id, clock().date()),
    )


def ratios_of(scope: TenantScope, account_id: str, today: date) -> Mapping[str, Decimal]:
    """What an account has paid of list prices lately, by family of prices."""
    # By name, because pipelines in turn asks findings to measure: a circle of imports else.
    pipelines: Any = import_module("tidegate.pipelines.public")
    return ratios(pipelines.rated_costs(scope, account_id, today - WINDOW, today))


def advisor_of(scope: TenantScope, inventory: Inventory) -> Advisor:
    """Who asks AWS for its recommendations about an account."""
    settings = settings_of(EvaluationSettings)
    return connected_advisor(settings, scope, inventory.onboarding_id, inventory.account_id)


def _time_left(context: Any) -> Callable[[], bool]:
    end = time.monotonic() + _REGIONS_FOR_SECONDS

    def has_time() -> bool:
        if context is not None and context.get_remaining_time_in_millis() < _MARGIN_MILLIS:
            return False
        return time.monotonic() < end

    return has_time
