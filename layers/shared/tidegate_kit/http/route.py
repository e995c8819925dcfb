"""The route class: guard, strict body, idempotency, ETag and field selection around an endpoint."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Coroutine
from email.message import Message
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect

from tidegate_kit.auth.permissions import PUBLIC
from tidegate_kit.dynamo import scoped_store
from tidegate_kit.errors import (
    BadRequest,
    PayloadTooLarge,
    ServiceUnavailable,
    UnsupportedMediaType,
)
from tidegate_kit.http.blocking import is_inline, run_blocking
from tidegate_kit.http.body import parse_form, parse_json
from tidegate_kit.http.call import Call
from tidegate_kit.http.fields import select_fields, selectable_fields
from tidegate_kit.http.guard import Platform, admit
from tidegate_kit.http.problem import as_api_error, problem_response
from tidegate_kit.http.spec import RouteSpec
from tidegate_kit.idempotency import Kept, check_key, effect_key, keepable
from tidegate_kit.ids import new_id
from tidegate_kit.observability import logger

BODY_SECONDS = 10.0  # for the whole body; on Lambda it is there at once
MEDIA = {
    "json": "application/json",
    "form": "application/x-www-form-urlencoded",
    "calendar": "text/calendar",
}
_MAX_QUERY_PARAMETERS = 100

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class _ReadRequest(Request):
    """A request whose body was read, checked and parsed once."""

    def __init__(self, request: Request, body: bytes, parsed: Any, *, form: bool) -> None:
        scope = request.scope
        if form:
            # A form is parsed already; FastAPI validates its fields as it does those of JSON.
            others = [pair for pair in scope["headers"] if pair[0] != b"content-type"]
            scope = {**scope, "headers": [*others, (b"content-type", b"application/json")]}
        super().__init__(scope, request.receive)
        self._body = body
        self._parsed = parsed

    async def json(self) -> Any:
        return self._parsed


class GuardedRoute(APIRoute):
    """APIRoute whose handler runs the pipeline of GEN-14 before the endpoint."""

    def get_route_handler(self) -> Handler:
        endpoint = _tenant_scoped(super().get_route_handler())
        spec: RouteSpec = vars(self.endpoint)["__tidegate_spec__"]
        known = selectable_fields(self.response_model) if spec.method == "GET" else None

        async def handle(request: Request) -> Response:
            call: Call = request.scope["tidegate.call"]
            call.route = spec.name
            try:
                response = await _answer(request, call, spec, endpoint, known)
            except Exception as error:
                problem = as_api_error(error)
                call.error_code = problem.code
                response = problem_response(problem, call.request_id, call.now)
            return _finish(response, call, spec)

        return handle


def _tenant_scoped(endpoint: Handler) -> Handler:
    """Run the endpoint with credentials that open the caller's tenant alone (GEN-16)."""

    async def scoped(request: Request) -> Response:
        platform: Platform = request.app.state.platform
        call: Call = request.scope["tidegate.call"]
        if platform.tenant_stores is None or call.known_principal is None:
            return await endpoint(request)
        store = await run_blocking(platform.tenant_stores.store, call.principal.tenant_id)
        with scoped_store(store):
            return await endpoint(request)

    return scoped


async def _answer(
    request: Request, call: Call, spec: RouteSpec, endpoint: Handler, known: frozenset[str] | None
) -> Response:
    platform: Platform = request.app.state.platform
    body = await _read_body(request, spec.max_body)
    await run_blocking(admit, platform, spec, call)
    _name_caller(call)
    if len(request.query_params.multi_items()) > _MAX_QUERY_PARAMETERS:
        raise BadRequest("Too many query parameters.")
    parsed = _parse_body(request, spec, body)
    wanted = select_fields(request.query_params.get("fields"), known)
    call.body = body
    read = _ReadRequest(request, body, parsed, form=spec.body == "form")
    key = call.headers.get("idempotency-key")
    if spec.idempotent and key is not None:
        return await _once(platform, call, spec, check_key(key), body, read, endpoint)
    response = await endpoint(read)
    if wanted is not None:
        response = wanted(response)
    return _with_etag(response, call) if spec.method == "GET" else response


def _name_caller(call: Call) -> None:
    """Put request, tenant and user on every log line of this call (GEN-9)."""
    keys = {"request_id": call.request_id}
    if call.known_principal is not None:
        keys["tenant_id"] = call.known_principal.tenant_id
        keys["user_id"] = call.known_principal.user_id
    logger.thread_safe_append_keys(**keys)


async def _read_body(request: Request, limit: int) -> bytes:
    try:
        if is_inline():  # on Lambda the whole body came with the event
            return await _collect(request, limit)
        async with asyncio.timeout(BODY_SECONDS):
            return await _collect(request, limit)
    except TimeoutError:
        raise BadRequest("The body did not arrive in time.") from None
    except ClientDisconnect:
        raise BadRequest("The body did not arrive.") from None


async def _collect(request: Request, limit: int) -> bytes:
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit:
        raise PayloadTooLarge
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise PayloadTooLarge
        chunks.append(chunk)
    return b"".join(chunks)


def _parse_body(request: Request, spec: RouteSpec, body: bytes) -> Any:
    if not body:
        return None
    if spec.body == "none" or not spec.state_changing:
        return None
    # An encoded body could expand beyond its limit, so none is unpacked (D1).
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise UnsupportedMediaType
    if spec.body == "raw":
        return None
    header = Message()
    header["content-type"] = request.headers.get("content-type", "")
    charset = (header.get_content_charset() or "utf-8").lower()
    if "content-type" not in request.headers or header.get_content_type() != MEDIA[spec.body]:
        raise UnsupportedMediaType
    if charset not in {"utf-8", "utf8"}:
        raise UnsupportedMediaType
    if spec.body == "form":
        return parse_form(body)
    return parse_json(body) if spec.body == "json" else None


async def _once(
    platform: Platform,
    call: Call,
    spec: RouteSpec,
    key: str,
    body: bytes,
    request: Request,
    endpoint: Handler,
) -> Response:
    store = platform.idempotency
    scope = "PUBLIC" if spec.permission == PUBLIC else call.principal.user.pk
    # Keyed by the path as called (IDEM-1), so two resources under one route stay apart.
    route = f"{spec.method} {request.url.path}"
    attempt = new_id()
    call.effect_key = effect_key(scope, route, key)
    kept = await run_blocking(store.begin, scope, route, key, body, attempt)
    if kept is not None:
        return Response(
            kept.body,
            status_code=kept.status,
            media_type="application/json",
            headers={"Idempotent-Replayed": "true"},
        )
    try:
        response = await endpoint(request)
    except Exception as error:
        problem = as_api_error(error)
        call.error_code = problem.code
        response = problem_response(problem, call.request_id, call.now)
    except BaseException:
        await run_blocking(store.finish, scope, route, key, attempt, None)
        raise
    text = bytes(response.body).decode()
    keep = Kept(response.status_code, text) if keepable(response.status_code) else None
    try:
        await run_blocking(store.finish, scope, route, key, attempt, keep)
    except ServiceUnavailable as error:
        # The effect has happened: a 503 now would invite the client to cause it again.
        logger.warning("answer not kept for repetition", cause=error.log)
    return response


def _with_etag(response: Response, call: Call) -> Response:
    if response.status_code != 200 or not hasattr(response, "body"):
        return response
    tag = f'"{hashlib.sha256(bytes(response.body)).hexdigest()[:32]}"'
    known = call.headers.get("if-none-match", "")
    if known.strip() == "*" or tag in (
        part.strip().removeprefix("W/") for part in known.split(",")
    ):
        return Response(status_code=304, headers={"ETag": tag})
    response.headers["ETag"] = tag
    return response


def _finish(response: Response, call: Call, spec: RouteSpec) -> Response:
    if call.rate is not None:
        for name, value in call.rate.headers().items():
            response.headers[name] = value
    if spec.secret:
        response.headers["Cache-Control"] = "no-store"
    elif not spec.public:
        response.headers.setdefault("Cache-Control", "private")
    for cookie in call.cookies_out:
        response.headers.append("Set-Cookie", cookie)
    return response
