"""The error answers of a route: those that it declares, and those that follow from its row."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from tidegate_kit.auth.authenticate import SessionExpired, SessionRevoked
from tidegate_kit.auth.permissions import ANY_USER, PUBLIC
from tidegate_kit.auth.tokens import TokenExpired, TokenFormatRetired, TokenInvalid
from tidegate_kit.errors import (
    ApiError,
    BadRequest,
    Detail,
    Forbidden,
    NotFound,
    PayloadTooLarge,
    ServiceUnavailable,
    TooManyRequests,
    Unauthenticated,
    Unprocessable,
    UnsupportedMediaType,
    envelope,
)
from tidegate_kit.http.guard import AccessCodeRequired, CsrfFailed
from tidegate_kit.http.spec import RouteSpec
from tidegate_kit.idempotency import IdempotencyInFlight, IdempotencyKeyReused

Kinds = list[type[ApiError]]

_TEXT = {"type": "string"}
SCHEMA: dict[str, Any] = {
    "title": "Error",
    "description": "The body of every answer that is not 2xx.",
    "type": "object",
    "required": ["error"],
    "additionalProperties": False,
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "details", "timestamp", "request_id"],
            "additionalProperties": False,
            "properties": {
                "code": _TEXT,
                "message": _TEXT,
                "details": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["field", "message"],
                        "additionalProperties": False,
                        "properties": {"field": _TEXT, "message": _TEXT},
                    },
                },
                "timestamp": {"type": "string", "format": "date-time"},
                "request_id": _TEXT,
            },
        }
    },
}
_DESCRIPTIONS = {
    400: "The request cannot be read, or is refused.",
    401: "Not signed in, or no longer.",
    403: "Not allowed.",
    404: "There is no such resource.",
    409: "In conflict with what is stored.",
    413: "The body is too large.",
    415: "The body is not of the documented media type.",
    422: "The request is not as documented, or cannot be carried out.",
    429: "Too many requests; Retry-After says when to try again.",
    500: "An error of ours.",
    503: "A service that we depend on does not answer; try again.",
}
_TOKEN_ERRORS: Kinds = [
    Unauthenticated, TokenInvalid, TokenExpired, TokenFormatRetired, SessionRevoked, SessionExpired,
]  # fmt: skip


def _implied(spec: RouteSpec, *, takes_input: bool) -> Kinds:
    kinds: Kinds = [ApiError, ServiceUnavailable]
    if spec.rate != "NONE":
        kinds.append(TooManyRequests)
    if spec.permission != PUBLIC:
        kinds += _TOKEN_ERRORS
        if spec.permission != ANY_USER:
            kinds.append(Forbidden)
        if spec.state_changing:
            kinds.append(CsrfFailed)
    if spec.access_code:
        kinds.append(AccessCodeRequired)
    if "{" in spec.path:
        kinds.append(NotFound)
    if takes_input:
        kinds += [BadRequest, Unprocessable]
    if spec.state_changing and spec.body != "none":
        kinds += [BadRequest, PayloadTooLarge, UnsupportedMediaType, Unprocessable]
    if spec.idempotent:
        kinds += [IdempotencyInFlight, IdempotencyKeyReused]
    return kinds


def by_status(spec: RouteSpec, *, takes_input: bool) -> dict[int, Kinds]:
    """Every error that a route may answer, one class a code, by status."""
    found: dict[int, Kinds] = {}
    for kind in (*spec.errors, *_implied(spec, takes_input=takes_input)):
        kinds = found.setdefault(kind.status, [])
        if kind.code not in {other.code for other in kinds}:
            kinds.append(kind)
    return dict(sorted(found.items()))


def response(status: int, kinds: Kinds, components: dict[str, Any]) -> dict[str, str]:
    """A reference to the shared response of these errors; adds it to `components` when new."""
    codes = sorted(kind.code for kind in kinds)
    name = f"Error{status}-{'-'.join(codes)}"
    for kind in kinds:
        _add_example(components["examples"], kind)
    components["responses"].setdefault(
        name,
        {
            "description": _DESCRIPTIONS[status],
            "x-tidegate-codes": codes,
            "content": {
                "application/json": {
                    "schema": {"$ref": "#/components/schemas/Error"},
                    "examples": {code: {"$ref": f"#/components/examples/{code}"} for code in codes},
                }
            },
        },
    )
    return {"$ref": f"#/components/responses/{name}"}


def _add_example(examples: dict[str, Any], kind: type[ApiError]) -> None:
    """Of several errors with one code the first by message: imports come in any order."""
    value, known = _example(kind), examples.get(kind.code)
    if known is None or kind.message < known["value"]["error"]["message"]:
        examples[kind.code] = {"value": value}


def _example(kind: type[ApiError]) -> dict[str, Any]:
    details = [Detail("name", "is required")] if kind is Unprocessable else []
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    request_id = "8c5f2f0e-7c1b-4a57-9a3e-2f4f0f9b6f10"
    return envelope(kind.code, kind.message, details, request_id, moment)
