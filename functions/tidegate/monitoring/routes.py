"""Routes of contract 2.7 that everybody may read: health and the API's documents."""

from __future__ import annotations

from typing import Any

from fastapi import Response
from tidegate_kit.auth.permissions import PUBLIC
from tidegate_kit.http import CurrentCall, Router

from tidegate.monitoring import answers, documents, wiring
from tidegate.monitoring.schemas import Health, MonitoringHealth

router = Router("monitoring")
_AS_JSON: dict[int, Any] = {200: {"content": {"application/json": {"schema": {"type": "object"}}}}}
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
    return answers.monitoring_health(report, call, wiring.process_usage())


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
