"""Build a domain's app, and its Lambda handler."""

from __future__ import annotations

import base64
import binascii
import gc
import json
import re
from collections.abc import Callable, Sequence
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from tidegate_kit.auth.authenticate import Authenticator, DynamoMemberStore, load_public_keys
from tidegate_kit.auth.tokens import KeyRing, TokenVerifier
from tidegate_kit.clients import kms_sealer
from tidegate_kit.clock import Clock, system_clock
from tidegate_kit.dynamo import Store, configure_store, current_store
from tidegate_kit.errors import BadRequest, MethodNotAllowed, envelope
from tidegate_kit.http.adapter import LambdaAdapter
from tidegate_kit.http.blocking import run_inline
from tidegate_kit.http.call import Call
from tidegate_kit.http.edge import Edge
from tidegate_kit.http.guard import Platform
from tidegate_kit.http.problem import as_api_error, problem_response
from tidegate_kit.http.routing import Router
from tidegate_kit.http.spec import RouteSpec
from tidegate_kit.idempotency import DynamoIdempotencyStore
from tidegate_kit.ids import new_id
from tidegate_kit.legacy import RuntimeLegacyPolicy
from tidegate_kit.observability import identify, logger
from tidegate_kit.ratelimit import DynamoRateCounters, RateLimiter
from tidegate_kit.settings import Settings, settings_of
from tidegate_kit.tenant_store import TenantStores

_NOBODYS_ID = "00000000-0000-4000-8000-000000000000"
_SELF = "192.0.2.1"  # documentation range: shares no limit with a caller
LambdaHandler = Callable[[Any, Any], dict[str, Any]]


def build_platform(settings: Settings, clock: Clock = system_clock) -> Platform:
    """The guard's services on the tables of this deployment."""
    ring = KeyRing(load_public_keys, clock)
    legacy = RuntimeLegacyPolicy(settings, clock)
    verifier = TokenVerifier(ring, settings.jwt_issuer, clock, legacy)
    role = settings.tenant_data_role_arn
    return Platform(
        settings=settings,
        clock=clock,
        authenticator=Authenticator(verifier, DynamoMemberStore(), clock),
        limiter=RateLimiter(DynamoRateCounters(), clock),
        idempotency=DynamoIdempotencyStore(clock, lambda: kms_sealer(settings)),
        tenant_stores=TenantStores(settings, role, clock) if role else None,
    )


def build_app(routers: Sequence[Router], platform: Platform) -> ASGIApp:
    """An ASGI app that answers the routers' routes, wrapped in the edge.

    Raises ValueError where two routers claim one (method, path) (IMP-16), or where what a router
    mounts is not what it declares (GEN-2).
    """
    specs = check_unique([spec for router in routers for spec in router.specs])
    for router in routers:
        check_mounted(router)
    app = FastAPI(
        openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False,
        title="Tidegate", version=platform.settings.tidegate_version,
    )  # fmt: skip
    app.state.platform = platform
    for router in routers:
        # Literal segments win over parameters (GEN-4): Starlette takes the first match.
        router.api.routes.sort(key=lambda route: route.path.count("{"))  # type: ignore[attr-defined]
        # include_router would build every route a second time, at the first request.
        app.router.routes.extend(router.api.routes)

    async def refuse(request: Request, error: Exception) -> Response:
        call: Call = request.scope["tidegate.call"]
        problem = as_api_error(error)
        if isinstance(problem, MethodNotAllowed):
            problem.headers["Allow"] = ", ".join(_allowed(specs, request.scope["path"]))
        call.error_code = problem.code
        return problem_response(problem, call.request_id, call.now)

    app.add_exception_handler(HTTPException, refuse)
    app.middleware_stack = app.build_middleware_stack()
    domain = routers[0].domain if routers else "none"
    return Edge(app, platform.settings, domain, platform.clock)


def check_unique(specs: Sequence[RouteSpec]) -> Sequence[RouteSpec]:
    """Raise ValueError if two routes would answer one (method, path); else give them back."""
    seen: dict[tuple[str, str], RouteSpec] = {}
    for spec in specs:
        other = seen.setdefault((spec.method, spec.shape), spec)
        if other is not spec:
            raise ValueError(f"{spec.name} is declared by both {other.domain} and {spec.domain}")
    return specs


def mounted_routes(router: Router) -> list[str]:
    """`METHOD /path` of every route that the router's app will answer, sorted."""
    names: list[str] = []
    for route in router.api.routes:
        if isinstance(route, APIRoute):
            names += (f"{method} {route.path}" for method in route.methods or ())
        else:
            names.append(f"{type(route).__name__} {vars(route).get('path')}")
    return sorted(names)


def check_mounted(router: Router) -> None:
    """Raise ValueError unless the router mounts exactly what it declares (GEN-2, B15)."""
    declared = {spec.name for spec in router.specs}
    differ = declared.symmetric_difference(mounted_routes(router))
    if differ:
        raise ValueError(f"{router.domain}: mounted is not declared: {', '.join(sorted(differ))}")


def _allowed(specs: Sequence[RouteSpec], path: str) -> list[str]:
    def matches(spec: RouteSpec) -> bool:
        pattern = re.sub(r"\\\{[^}]*\\\}", "[^/]+", re.escape(spec.path))
        return re.fullmatch(pattern, path) is not None

    return sorted({spec.method for spec in specs if matches(spec)})


def lambda_app(router: Router, settings_type: type[Settings] = Settings) -> LambdaHandler:
    """The Lambda handler of a domain. All init work happens here; see design section 4.9.

    Raises SettingsError naming every missing setting, so a wrong deployment does not start.
    """
    gc.disable()
    settings = settings_of(settings_type)
    run_inline(settings.on_lambda)
    configure_store(Store(settings.table_prefix, settings.aws_region))
    identify(settings, router.domain)
    app = build_app([router], build_platform(settings))
    adapter = LambdaAdapter(app)
    _ = current_store().connection.client  # made in init, where CPU is plentiful; no network
    gc.freeze()
    gc.enable()

    def handler(event: Any, context: Any) -> dict[str, Any]:
        if isinstance(event, dict) and event.get("tidegate_ping") is True:
            return {
                "pong": True,
                "domain": router.domain,
                "version": settings.tidegate_version,
                "routes": mounted_routes(router),
                "answers": _answers(adapter, event.get("routes"), context),
            }
        if not _is_http_event(event):
            logger.warning("not an HTTP API event; refused")
            return _refusal(settings)
        return adapter(event, context)

    return handler


def _answers(adapter: LambdaAdapter, names: Any, context: Any) -> dict[str, int]:
    """The status of each route asked for (`METHOD /path`), called without token and body.

    For the self-test, which may invoke the function itself: no caller over HTTP gets here.
    """
    asked = [name for name in names if isinstance(name, str)] if isinstance(names, list) else []
    statuses: dict[str, int] = {}
    for name in asked:
        method, _, path = name.partition(" ")
        path = re.sub(r"{[^}]*}", _NOBODYS_ID, path)
        request = {"method": method, "path": path, "sourceIp": _SELF, "protocol": "HTTP/1.1"}
        event = {
            "version": "2.0", "rawPath": path, "rawQueryString": "", "headers": {},
            "requestContext": {"http": request}, "isBase64Encoded": False,
        }  # fmt: skip
        statuses[name] = int(adapter(event, context)["statusCode"])
    return statuses


def _is_http_event(event: Any) -> bool:
    """True for an API Gateway HTTP API event, payload 2.0, that can be turned into a request."""
    if not isinstance(event, dict) or event.get("version") != "2.0":
        return False
    context = event.get("requestContext")
    http = context.get("http") if isinstance(context, dict) else None
    if not isinstance(http, dict) or not isinstance(http.get("sourceIp"), str):
        return False
    if not isinstance(http.get("method"), str) or not http["method"].isalpha():
        return False
    return _is_request(event) and _is_body(event)


def _is_request(event: dict[str, Any]) -> bool:
    path, query = event.get("rawPath"), event.get("rawQueryString", "")
    headers, cookies = event.get("headers"), event.get("cookies") or []
    return (
        isinstance(path, str)
        and path.startswith("/")
        and _is_text(path)
        and isinstance(query, str)
        and query.isascii()
        and isinstance(headers, dict)
        and all(
            isinstance(value, str) and _is_text(name + value, "latin-1")
            for name, value in headers.items()
        )
        and isinstance(cookies, list)
        and all(isinstance(cookie, str) and _is_text(cookie, "latin-1") for cookie in cookies)
    )


def _is_text(text: str, encoding: str = "utf-8") -> bool:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _is_body(event: dict[str, Any]) -> bool:
    body = event.get("body")
    if body is None:
        return True
    if not isinstance(body, str):
        return False
    if event.get("isBase64Encoded"):
        try:
            base64.b64decode(body, validate=True)
        except (binascii.Error, ValueError):
            return False
        return True
    return body.isascii() or _is_text(body)


def _refusal(settings: Settings) -> dict[str, Any]:
    error = BadRequest("This is not an HTTP API event.")
    request_id = new_id()
    body = envelope(error.code, error.message, (), request_id, system_clock())
    return {
        "statusCode": 400,
        "headers": {
            "content-type": "application/json",
            "x-request-id": request_id,
            "x-tidegate-env": settings.tidegate_env,
        },
        "body": json.dumps(body),
    }
