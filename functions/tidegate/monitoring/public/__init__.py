"""What other domains may ask of monitoring. Knows nothing of HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tidegate_kit.clock import Clock, system_clock
from tidegate_kit.dynamo import Transaction
from tidegate_kit.tenancy import TenantScope

from tidegate.monitoring import documents
from tidegate.monitoring.domain import Cell, Kind, Measurement, total_of
from tidegate.monitoring.repository.alerts import Alert, GlobalAlerts
from tidegate.monitoring.repository.metrics import DynamoMetrics, GlobalMetrics
from tidegate.monitoring.service import reports

__all__ = [
    "Alert",
    "Kind",
    "Measurement",
    "add_to",
    "count",
    "forget_tenant",
    "manifest",
    "open_alerts",
    "platform_metrics",
    "platform_sum",
    "tenant_metrics",
]


def count(scope: TenantScope, measurement: Measurement, clock: Clock = system_clock) -> bool:
    """Count something for a tenant and the platform; False if it was counted before.

    The same `measurement.id` again changes nothing, so a caller that died may repeat it. Raises
    ServiceUnavailable.
    """
    now = clock()
    GlobalMetrics().add([measurement], now)
    return DynamoMetrics(scope).add([measurement], now) == 1


def add_to(
    transaction: Transaction, scope: TenantScope, measurement: Measurement, now: datetime
) -> None:
    """Count something for a tenant in the transaction that makes it happen (8 writes at most).

    ConditionFailed.names then holds "counted" if this id was counted before.
    """
    DynamoMetrics(scope).add_to(transaction, measurement, now)


def tenant_metrics(scope: TenantScope, clock: Clock = system_clock) -> Mapping[str, Any]:
    """{application, workflows, ai_usage} of a tenant, as GET /monitoring/metrics tells them."""
    return reports.as_dict(reports.totals(DynamoMetrics(scope), clock()))


def platform_metrics(clock: Clock = system_clock) -> Mapping[str, Any]:
    """The same of the whole platform."""
    return reports.as_dict(reports.totals(GlobalMetrics(), clock()))


def platform_sum(kind: Kind, start: datetime, end: datetime) -> Cell:
    """What the whole platform counted of a kind in the hours that begin in [start, end)."""
    cells = GlobalMetrics().cells(kind, "hour", "all", start, end)
    return total_of(cell for *_, cell in cells)


def open_alerts() -> list[Alert]:
    """What an operator should look at now."""
    return GlobalAlerts().all()


def forget_tenant(scope: TenantScope, limit: int, clock: Clock = system_clock) -> bool:
    """Erase about `limit` rows of a tenant; True when nothing is left."""
    return DynamoMetrics(scope).forget(limit, clock())


def manifest() -> list[tuple[str, str, str]]:
    """(domain, METHOD, path) of every route that the platform declares (GEN-2)."""
    return documents.manifest()
