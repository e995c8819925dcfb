"""From a health report to the answers of contract 2.7."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import Response
from tidegate_kit.dynamo import POOL_CONNECTIONS
from tidegate_kit.errors import Detail, ServiceUnavailable, envelope
from tidegate_kit.http import Call

from tidegate.monitoring import schemas
from tidegate.monitoring.service.health import HealthReport, Probe
from tidegate.monitoring.service.providers import KEYED_PROVIDERS, Provider
from tidegate.monitoring.service.reports import Series, Totals, Window, as_dict
from tidegate.monitoring.usage import ProcessUsage


def prepare(response: Response, report: HealthReport, call: Call) -> None:
    """Status, log code and caching of a health answer."""
    response.headers["Cache-Control"] = "no-store"
    if report.status == "unhealthy":
        problem = ServiceUnavailable()
        response.status_code = problem.status
        response.headers.update(problem.headers)
        call.error_code = problem.code


def _error(report: HealthReport, call: Call) -> schemas.ProblemBody | None:
    if report.status != "unhealthy":
        return None
    details = [Detail("components.database", report.database.issue or "")]
    body = envelope(
        ServiceUnavailable.code,
        "The platform's database is not usable.",
        details,
        call.request_id,
        call.now,
    )
    return schemas.ProblemBody(**body["error"])


def health(report: HealthReport, call: Call) -> schemas.Health:
    """The body of GET /health."""
    settings = call.settings
    return schemas.Health(
        status=report.status,
        version=settings.tidegate_version,
        environment=settings.tidegate_env,
        stage=settings.tidegate_stage,
        timestamp=call.now,
        env=schemas.HealthEnvironment(
            issues=report.issues,
            warnings=list(report.warnings),
            configured_providers=list(report.providers),
            missing_provider_keys=[one for one in KEYED_PROVIDERS if one not in report.providers],
            offline=not report.providers,
            dev_mode=settings.tidegate_env == "development",
        ),
        components=schemas.Components(
            database=_service(report.database),
            cache=_check(report.cache),
            ai_provider=next(iter(report.providers), None),
            ai_model=report.model,
            queue=_check(report.queue),
        ),
        redis_connection=_check(report.cache),
        error=_error(report, call),
    )


def monitoring_health(
    report: HealthReport, call: Call, usage: ProcessUsage
) -> schemas.MonitoringHealth:
    """The body of GET /monitoring/health."""
    return schemas.MonitoringHealth(
        status=report.status,
        timestamp=call.now,
        version=call.settings.tidegate_version,
        environment=call.settings.tidegate_env,
        services=schemas.Services(
            database=schemas.DatabaseService(
                status=_service(report.database),
                response_time=report.database.millis,
                connections=schemas.Connections(
                    active=usage.active, idle=usage.idle, max=POOL_CONNECTIONS
                ),
            ),
            redis=schemas.CacheService(
                status=_service(report.cache),
                response_time=report.cache.millis,
                memory_usage=f"{usage.memory // 2**20}MB",
            ),
            ai_services=schemas.AiServices(
                openai=_provider(report, "openai"),
                anthropic=_provider(report, "anthropic"),
                bedrock=_provider(report, "bedrock"),
            ),
        ),
        error=_error(report, call),
    )


def _provider(report: HealthReport, name: Provider) -> schemas.AiService:
    probe = report.providers.get(name)
    if probe is None:
        return schemas.AiService(status="not_configured", response_time=None)
    return schemas.AiService(status=_service(probe), response_time=probe.millis)


def _service(probe: Probe) -> schemas.Service:
    return "healthy" if probe.ok else "unhealthy"


def _check(probe: Probe) -> schemas.Check:
    return "ok" if probe.ok else "error"


def metrics(found: Totals, usage: ProcessUsage) -> schemas.MonitoringMetrics:
    """The body of GET /monitoring/metrics."""
    numbers = {"system": usage.as_dict(), **as_dict(found)}
    return schemas.MonitoringMetrics.model_validate(numbers)


def metric_series(window: Window, found: Sequence[Series]) -> schemas.MetricSeries:
    """The body of GET /metrics/*. `totals` names a series by its name and label values."""
    return schemas.MetricSeries.model_validate(
        {
            "from": window.start,
            "to": window.end,
            "granularity": window.granularity,
            "series": [
                {"name": one.name, "unit": one.unit, "labels": one.labels, "points": one.points}
                for one in found
            ],
            "totals": {"/".join((one.name, *one.labels.values())): one.total for one in found},
        }
    )
