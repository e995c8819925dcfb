"""Routes of contract 2.7: health, the API's documents, metrics."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Response
from tidegate_kit.auth.permissions import PUBLIC
from tidegate_kit.http import Call, CurrentCall, Router

from tidegate.monitoring import answers, documents, exposition, wiring
from tidegate.monitoring.queries import ScopeQuery, SeriesQuery, metrics_of
from tidegate.monitoring.schemas import Health, MetricSeries, MonitoringHealth, MonitoringMetrics
from tidegate.monitoring.service import reports
from tidegate.monitoring.usage import process_usage

router = Router("monitoring")
_AS_JSON: dict[int, Any] = {200: {"content": {"application/json": {"schema": {"type": "object"}}}}}
_AS_TEXT: dict[int, Any] = {200: {"content": {"text/plain": {"schema": {"type": "string"}}}}}
_READ = "metrics:read"
_AS_HTML: dict[int, Any] = {200: {"content": {"text/html": {"schema": {"type": "string"}}}}}


@router.get(
    "/health",
    permission=PUBLIC,
    rate="M",
    outlives_store=True,
    responses={503: {"model": Health, "description": "Unhealthy; `error` says why."}},
)
def health(call: CurrentCall, response: Response) -> Health:
    """Whether the platform works, with environment, stage and version. 503 when unhealthy."""
    report = wiring.health_service().report(call.now)
    answers.prepare(response, report, call)
    return answers.health(report, call)


@router.get(
    "/monitoring/health",
    permission=PUBLIC,
    rate="M",
    outlives_store=True,
    responses={503: {"model": MonitoringHealth, "description": "Unhealthy; `error` says why."}},
)
def monitoring_health(call: CurrentCall, response: Response) -> MonitoringHealth:
    """The state and response time of each service. 503 when unhealthy."""
    report = wiring.health_service().report(call.now)
    answers.prepare(response, report, call)
    return answers.monitoring_health(report, call, process_usage())


@router.get("/openapi.json", permission=PUBLIC, response_class=Response, responses=_AS_JSON)
def openapi_document(call: CurrentCall) -> Response:
    """This API as an OpenAPI 3.1 document, with the deployed base URL."""
    content = documents.openapi_bytes(call.settings.public_base_url)
    return Response(content, media_type="application/json")


@router.get("/docs", permission=PUBLIC, response_class=Response, responses=_AS_HTML)
def docs(call: CurrentCall) -> Response:
    """Every route of this API on one page."""
    page = documents.reference_page(call.settings.public_base_url, with_schemas=False)
    return Response(page, media_type="text/html; charset=utf-8", headers=documents.PAGE_HEADERS)


@router.get("/redoc", permission=PUBLIC, response_class=Response, responses=_AS_HTML)
def redoc(call: CurrentCall) -> Response:
    """Every route and every schema of this API on one page."""
    page = documents.reference_page(call.settings.public_base_url, with_schemas=True)
    return Response(page, media_type="text/html; charset=utf-8", headers=documents.PAGE_HEADERS)


@router.get("/monitoring/metrics", permission=_READ, rate="M")
def metrics(call: CurrentCall, query: Annotated[ScopeQuery, Depends()]) -> MonitoringMetrics:
    """Requests, executions and AI usage of the tenant; administrators may add ?scope=platform."""
    found = reports.totals(metrics_of(call.principal, query.scope), call.now)
    return answers.metrics(found, process_usage())


@router.get(
    "/monitoring/prometheus", permission=_READ, rate="M", response_class=Response,
    responses=_AS_TEXT,
)  # fmt: skip
def prometheus(call: CurrentCall, query: Annotated[ScopeQuery, Depends()]) -> Response:
    """The same numbers in Prometheus' text format 0.0.4."""
    found = reports.totals(metrics_of(call.principal, query.scope), call.now)
    who = {"environment": call.settings.tidegate_env, "stage": call.settings.tidegate_stage,
           "version": call.settings.tidegate_version}  # fmt: skip
    content = exposition.text(found, process_usage().as_dict(), who)
    return Response(content, headers={"Content-Type": exposition.CONTENT_TYPE})


def _series(report: reports.Report, call: Call, query: SeriesQuery) -> MetricSeries:
    window = reports.window_of(query.start, query.end, query.granularity, query.group_by, call.now)
    metrics = metrics_of(call.principal, query.scope)
    found = reports.series(metrics, wiring.platform_metrics(), report, window)
    return answers.metric_series(window, found)


@router.get("/metrics/system", permission=_READ, rate="M", response_model=MetricSeries)
def system_series(call: CurrentCall, query: Annotated[SeriesQuery, Depends()]) -> Any:
    """CPU, memory and store latency of the platform over time."""
    return _series("system", call, query)


@router.get("/metrics/usage", permission=_READ, rate="M", response_model=MetricSeries)
def usage_series(call: CurrentCall, query: Annotated[SeriesQuery, Depends()]) -> Any:
    """Requests, executions, inferences, calls to AWS and their cost over time."""
    return _series("usage", call, query)


@router.get("/metrics/performance", permission=_READ, rate="M", response_model=MetricSeries)
def performance_series(call: CurrentCall, query: Annotated[SeriesQuery, Depends()]) -> Any:
    """Percentiles of the response time and the error rate over time."""
    return _series("performance", call, query)
