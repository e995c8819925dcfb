"""The one mapper from exceptions to error answers (ERR-1 to ERR-3)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from tidegate_kit.dynamo import ConditionFailed
from tidegate_kit.errors import (
    ApiError,
    BadRequest,
    Conflict,
    Detail,
    MethodNotAllowed,
    NotFound,
    PayloadTooLarge,
    Unprocessable,
    UnsupportedMediaType,
    envelope,
)
from tidegate_kit.observability import logger

_BY_STATUS: dict[int, type[ApiError]] = {
    400: BadRequest,
    404: NotFound,
    405: MethodNotAllowed,
    413: PayloadTooLarge,
    415: UnsupportedMediaType,
    422: Unprocessable,
}


def as_api_error(error: BaseException) -> ApiError:
    """Every exception as an ApiError; an unknown one is a 500 whose text is only logged."""
    if isinstance(error, ApiError):
        if error.status >= 500 or error.log:
            logger.warning("request refused", code=error.code, cause=error.log)
        return error
    if isinstance(error, RequestValidationError):
        return _validation(error.errors())
    if isinstance(error, HTTPException):
        kind = _BY_STATUS.get(error.status_code)
        if kind is not None:
            return kind(headers=dict(error.headers or {}))
    if isinstance(error, ConditionFailed):
        logger.warning("unmapped lost condition", names=sorted(error.names))
        return Conflict()
    logger.exception("unhandled exception", exc_info=error)
    return ApiError()


def _validation(errors: Sequence[Mapping[str, Any]]) -> ApiError:
    # An id of another format in the path is answered as an absent one (GEN-10).
    if any(problem["loc"][0] == "path" for problem in errors):
        return NotFound()
    details = [Detail(_place(problem["loc"]), _sentence(problem)) for problem in errors[:50]]
    return Unprocessable(details=details)


def _place(loc: Sequence[Any]) -> str:
    parts = [str(part) for part in loc]
    if parts and parts[0] in {"body", "query", "header", "cookie"} and len(parts) > 1:
        parts = parts[1:]
    return ".".join(parts)[:200]


_MESSAGES = {
    "extra_forbidden": "is not a field of this request",
    "missing": "is required",
    "json_invalid": "is not valid JSON",
}


def _sentence(problem: Mapping[str, Any]) -> str:
    # Pydantic's own messages name limits and types; those that quote the input are replaced (C18).
    kind = str(problem["type"])
    if kind in _MESSAGES:
        return _MESSAGES[kind]
    if kind in {"value_error", "assertion_error"}:
        return str(problem["msg"]).removeprefix("Value error, ")
    if kind.endswith(("_parsing", "_type")) or kind.startswith(
        ("string_", "greater_", "less_", "literal_", "enum", "too_", "int_", "list_", "dict_")
    ):
        return str(problem["msg"])
    return "is not valid here"


def problem_response(
    error: ApiError, request_id: str, now: datetime, extra_headers: Mapping[str, str] | None = None
) -> Response:
    """The answer of an error: envelope, its own headers, WWW-Authenticate on 401."""
    headers = {**error.headers, **(extra_headers or {})}
    if error.status == 401:
        headers.setdefault("WWW-Authenticate", "Bearer")
    body = envelope(error.code, error.message, error.details, request_id, now)
    return Response(
        json.dumps(body, ensure_ascii=False).encode(),
        status_code=error.status,
        headers=headers,
        media_type="application/json",
    )
