"""Health as it is answered, for admin's routes (imports FastAPI)."""

from __future__ import annotations

from typing import Any

from fastapi import Response
from tidegate_kit.http import Call

from tidegate.monitoring import answers, wiring
from tidegate.monitoring.schemas import Health, MonitoringMetrics
from tidegate.monitoring.service import reports
from tidegate.monitoring.service.certificate import Certificate, certificate_at
from tidegate.monitoring.usage import process_usage

__all__ = ["Health", "MonitoringMetrics", "certificate", "health", "platform_numbers"]


def health(call: Call, response: Response) -> Health:
    """The body of GET /health; sets status and headers of the answer as it does."""
    report = wiring.health_service().report(call.now)
    answers.prepare(response, report, call)
    return answers.health(report, call)


def platform_numbers(call: Call) -> dict[str, Any]:
    """The body of GET /monitoring/metrics for the whole platform."""
    found = reports.totals(wiring.platform_metrics(), call.now)
    return answers.metrics(found, process_usage()).model_dump()


def certificate(call: Call) -> Certificate:
    """The public address's certificate. Raises ServiceUnavailable."""
    return certificate_at(wiring.certificate_probe(), call.now)
