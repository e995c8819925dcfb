"""The minute's look at health: changes are told, once each, to whoever is connected (RT-4)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from tidegate_kit.observability import logger
from tidegate_kit.tenancy import TenantScope

from tidegate.monitoring.domain import Measurement, floor
from tidegate.monitoring.repository.alerts import Alert, Alerts, Told
from tidegate.monitoring.repository.metrics import Metrics
from tidegate.monitoring.service.health import HealthReport

Publish = Callable[[TenantScope, str, Mapping[str, Any], str, datetime], object]
_SEVERITY = {"healthy": "info", "degraded": "warning", "unhealthy": "critical"}
HEALTH_ALERT = "health"


class Watch:
    """Compares health with what was told last."""

    def __init__(
        self, alerts: Alerts, connected: Callable[[], Iterable[TenantScope]], publish: Publish
    ) -> None:
        self._alerts = alerts
        self._connected = connected
        self._publish = publish

    def look(self, report: HealthReport, now: datetime) -> bool:
        """Tell a change; True if there was one. A change that was not told to its end is again."""
        found = "; ".join(report.issues) or "every component works"
        before = self._alerts.health()
        told: Told | None = before
        if before is None or before.status != report.status:
            told = self._alerts.change(before, report.status, found, now)
        if told is None or told.told >= told.change:
            return False
        self._tell(told, now)
        self._alerts.mark_told(told.change, now)
        return True

    def _tell(self, state: Told, now: datetime) -> None:
        data = {
            "severity": _SEVERITY[state.status],
            "component": "platform",
            "status": state.status,
            "message": state.message,
        }
        if state.status == "healthy":
            self._alerts.close(HEALTH_ALERT)
        else:
            alert = Alert(HEALTH_ALERT, data["severity"], state.message, now, {})
            self._alerts.open(alert)
        logger.warning("health changed", status=state.status, change=state.change)
        for scope in self._connected():
            self._publish(scope, "system_alert", data, f"health:{state.change}", now)


def measure(
    metrics: Metrics, report: HealthReport, cpu: float, memory: float, now: datetime
) -> int:
    """Count this minute's probes: percent as thousandths, latency in microseconds."""
    minute = floor(now, "minute").isoformat()
    parts = {
        "cpu": (True, round(cpu * 1000)),
        "memory": (True, round(memory * 1000)),
        "store": (report.database.ok, round(report.database.millis * 1000)),
    }
    probes = [
        Measurement(f"{minute}:{part}", "probe", now, ok, value, labels={"part": part})
        for part, (ok, value) in parts.items()
    ]
    return metrics.add(probes, now)
