"""The outermost ASGI layer: path spelling, request id, common headers, CORS, log line."""

from __future__ import annotations

import re
import time
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tidegate_kit.clock import Clock
from tidegate_kit.errors import HeadersTooLarge
from tidegate_kit.http.call import Call
from tidegate_kit.http.problem import as_api_error, problem_response
from tidegate_kit.ids import new_id
from tidegate_kit.observability import logger, record_call
from tidegate_kit.settings import Settings

# What API Gateway takes; declared here so that a local server behaves alike (D15).
MAX_HEADER_BYTES = 10_240
_REQUEST_ID = re.compile(r"^[A-Za-z0-9._-]{1,64}$")
_METHODS = "GET, POST, PUT, PATCH, DELETE"
_REQUEST_HEADERS = (
    "Authorization", "Content-Type", "Accept", "X-Request-Id", "X-CSRF-Token", "Idempotency-Key",
    "If-None-Match", "webhook-id", "webhook-timestamp", "webhook-signature",
)  # fmt: skip
_EXPOSED = (
    "X-Request-Id, X-Tidegate-Env, X-Tidegate-Stage, X-Tidegate-Version, ETag, Retry-After, "
    "X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, X-RateLimit-Window, "
    "Idempotent-Replayed, WWW-Authenticate, Allow, Content-Disposition"
)


def plain_path(path: str) -> str:
    """Strip one leading /api and one trailing slash (GEN-4)."""
    if path.startswith("/api/") or path == "/api":
        path = path[4:] or "/"
    if len(path) > 1 and path.endswith("/"):
        path = path[:-1]
    return path


def read_cookies(header: str | None) -> dict[str, str]:
    """Cookies by name; an unreadable header is no cookies."""
    jar: SimpleCookie = SimpleCookie()
    try:
        jar.load(header or "")
    except CookieError:
        return {}
    return {name: morsel.value for name, morsel in jar.items()}


class Edge:
    """Wraps a domain's app. One instance per process."""

    def __init__(self, app: ASGIApp, settings: Settings, domain: str, clock: Clock) -> None:
        self._app = app
        self._settings = settings
        self._domain = domain
        self._clock = clock
        self._common = {
            "X-Tidegate-Env": settings.tidegate_env,
            "X-Tidegate-Stage": settings.tidegate_stage,
            "X-Tidegate-Version": settings.tidegate_version,
            "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
        }
        self._allowed_headers = ", ".join((*_REQUEST_HEADERS, settings.access_code_header))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        headers = Headers(scope=scope)
        call = self._call(scope, headers)
        scope = {**scope, "path": plain_path(scope["path"]), "tidegate.call": call}
        scope["raw_path"] = scope["path"].encode("utf-8", "surrogateescape")
        common = {**self._common, "X-Request-Id": call.request_id, **self._cors(headers)}
        status = 500
        sent = False

        async def decorated(message: Message) -> None:
            nonlocal status, sent
            if message["type"] == "http.response.start":
                sent = True
                status = message["status"]
                out = MutableHeaders(scope=message)
                for name, value in common.items():
                    out[name] = value
            await send(message)

        try:
            if sum(len(name) + len(value) for name, value in scope["headers"]) > MAX_HEADER_BYTES:
                raise HeadersTooLarge
            if headers.get("access-control-request-method") and scope["method"] == "OPTIONS":
                call.route = "OPTIONS preflight"
                await self._preflight(common)(scope, receive, decorated)
            else:
                await self._app(scope, receive, decorated)
        except Exception as error:
            if sent:
                raise
            problem = as_api_error(error)
            call.error_code = problem.code
            answer = problem_response(problem, call.request_id, call.now)
            await answer(scope, receive, decorated)
        finally:
            self._record(call, status, (time.perf_counter() - started) * 1000)

    def _call(self, scope: Scope, headers: Headers) -> Call:
        given = headers.get("x-request-id", "")
        client = scope.get("client")
        return Call(
            request_id=given if _REQUEST_ID.fullmatch(given) else new_id(),
            method=scope["method"],
            # The gateway's view of the caller, never a client header (RATE-3, C5).
            client_ip=client[0] if client else "unknown",
            user_agent=headers.get("user-agent", "")[:300],
            headers=headers,
            cookies=read_cookies(headers.get("cookie")),
            settings=self._settings,
            now=self._clock(),
        )

    def _cors(self, headers: Headers) -> dict[str, str]:
        origin = headers.get("origin")
        if origin is None or origin not in self._settings.cors_origin_list:
            return {"Vary": "Origin"}
        return {
            "Vary": "Origin",
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Allow-Credentials": "true",
            "Access-Control-Expose-Headers": _EXPOSED,
        }

    def _preflight(self, common: dict[str, str]) -> Response:
        extra = {}
        if "Access-Control-Allow-Origin" in common:
            extra = {
                "Access-Control-Allow-Methods": _METHODS,
                "Access-Control-Allow-Headers": self._allowed_headers,
                "Access-Control-Max-Age": "600",
            }
        return Response(status_code=204, headers=extra)

    def _record(self, call: Call, status: int, millis: float) -> None:
        who = call.known_principal
        record_call(
            self._settings,
            domain=self._domain,
            route=call.route or "unrouted",
            status=status,
            code=call.error_code,
            millis=millis,
            moment=call.now,
            request_id=call.request_id,
            tenant_id=who.tenant_id if who else None,
            user_id=who.user_id if who else None,
        )
        logger.thread_safe_clear_keys()
