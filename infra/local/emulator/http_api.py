"""The data plane of an HTTP API as the front door needs it.

MiniStack's own entry decodes bodies, answers OPTIONS, and drops what payload 2.0 says about
cookies and the caller's address. The front door comes in here instead; routes, authorizers
and integrations stay MiniStack's.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

Response = tuple[int, dict[str, Any], bytes]
Headers = list[tuple[str, str]]


@dataclass(frozen=True)
class Edge:
    """What only the front door knows about a request."""

    source_ip: str
    host: str
    cookies: list[str]


_edge: ContextVar[Edge | None] = ContextVar("edge", default=None)


def install() -> None:
    """Complete payload 2.0 on its way to the function."""
    from ministack.services import apigateway

    run: Callable[..., Awaitable[Any]] = apigateway.run_reentrant

    async def run_completed(fn: Any, *args: Any, **options: Any) -> Any:
        edge = _edge.get()
        if edge is not None and len(args) == 2 and _is_http_event(args[1]):
            complete(args[1], edge)
        return await run(fn, *args, **options)

    apigateway.run_reentrant = run_completed


def _is_http_event(event: Any) -> bool:
    return isinstance(event, dict) and event.get("version") == "2.0" and "rawPath" in event


def complete(event: dict[str, Any], edge: Edge) -> None:
    """Add to a payload-2.0 event what API Gateway puts there (in place)."""
    context = event["requestContext"]
    context["http"]["sourceIp"] = edge.source_ip
    context["domainName"] = edge.host.partition(":")[0]
    event["headers"]["host"] = edge.host
    event["headers"].pop("cookie", None)
    if edge.cookies:
        event["cookies"] = edge.cookies
    if event.get("pathParameters") is None:
        event.pop("pathParameters", None)


def joined(headers: Headers) -> dict[str, str]:
    """Header fields by lower-case name; repeated ones joined by commas, as on AWS."""
    found: dict[str, str] = {}
    for name, value in headers:
        key = name.lower()
        found[key] = f"{found[key]},{value}" if key in found else value
    return found


def cookies_of(headers: Headers) -> list[str]:
    """Every single cookie of the request, in order."""
    return [
        cookie.strip()
        for name, value in headers
        if name.lower() == "cookie"
        for cookie in value.split(";")
        if cookie.strip()
    ]


async def execute(
    api_id: str,
    stage: str,
    method: str,
    raw_path: str,
    raw_query: str,
    headers: Headers,
    body: bytes,
    source_ip: str,
    host: str,
) -> Response:
    """Send one request through an HTTP API of the emulator."""
    from ministack.services import apigateway

    if apigateway.find_api_scope(api_id) is None:
        return 404, {"Content-Type": "application/json"}, b'{"message":"Not Found"}'
    path = apigateway.decode_http_api_path(raw_path)
    query = parse_qs(raw_query, keep_blank_values=True)
    token = _edge.set(Edge(source_ip, host, cookies_of(headers)))
    try:
        fields = joined(headers)
        if method == "OPTIONS":
            answer = await _options(api_id, stage, path, raw_query, query, fields, body)
            if answer is not None:
                return answer
        status, answered, payload = await apigateway.handle_execute(
            api_id, stage, path, method, fields, body, query, raw_query_string=raw_query
        )
        return status, answered, _bytes(payload)
    finally:
        _edge.reset(token)


async def _options(
    api_id: str,
    stage: str,
    path: str,
    raw_query: str,
    query: dict[str, list[str]],
    headers: dict[str, str],
    body: bytes,
) -> Response | None:
    """OPTIONS reaches the route when the API has no CORS of its own, as on AWS.

    None lets MiniStack answer from the API's CORS configuration.
    """
    from ministack.core.responses import request_scope
    from ministack.services import apigateway

    account, region = apigateway.find_api_scope(api_id)
    with request_scope(account, region):
        if apigateway._apis.get(api_id, {}).get("corsConfiguration"):
            return None
        route = apigateway._match_route(api_id, "OPTIONS", "/" + path.lstrip("/"))
        if route is None:
            return 404, {"Content-Type": "application/json"}, b'{"message":"Not Found"}'
        integration_id = str(route.get("target", "")).rpartition("/")[2]
        integration = apigateway._integrations.get(api_id, {}).get(integration_id)
        if integration is None or integration.get("integrationType") != "AWS_PROXY":
            return None
        key = str(route.get("routeKey", "$default"))
        pattern = key.partition(" ")[2]
        status, answered, payload = await apigateway._invoke_lambda_proxy(
            integration,
            api_id,
            stage,
            path,
            "OPTIONS",
            headers,
            body,
            query,
            key,
            apigateway._extract_path_params(pattern, path) if pattern else None,
            owner_account_id=account,
            owner_region=region,
            raw_query_string=raw_query,
        )
        return status, answered, _bytes(payload)


def _bytes(payload: Any) -> bytes:
    if isinstance(payload, bytes):
        return payload
    return (payload if isinstance(payload, str) else json.dumps(payload)).encode()
