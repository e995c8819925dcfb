"""Errors that carry their status and code, and the one envelope they are answered in (ERR-1).

Raise a subclass anywhere below a route; `tidegate_kit.http` maps it. Domain errors subclass these
in their domain's `errors.py` and set `code` and `message`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from tidegate_kit.clock import iso


@dataclass(frozen=True)
class Detail:
    """One problem: which field, and what is wrong. Never holds the submitted value (C18)."""

    field: str
    message: str

    def as_dict(self) -> dict[str, str]:
        """The wire shape {field, message}."""
        return {"field": self.field, "message": self.message}


class ApiError(Exception):
    """Base of every error a client may see. Class attributes give status, code, message."""

    status: ClassVar[int] = 500
    code: str = "INTERNAL_ERROR"
    message: str = "Something went wrong on our side. Quote the request id when you report it."

    def __init__(
        self,
        message: str | None = None,
        *,
        code: str | None = None,
        details: Sequence[Detail] = (),
        headers: Mapping[str, str] | None = None,
        log: str = "",
    ) -> None:
        """`log` is written to the log with the error and never returned (ERR-2)."""
        self.message = message or type(self).message
        self.code = code or type(self).code
        self.details = tuple(details)
        self.headers = dict(headers or {})
        self.log = log
        super().__init__(self.message)


class BadRequest(ApiError):
    status = 400
    code = "BAD_REQUEST"
    message = "The request cannot be read."


class Unauthenticated(ApiError):
    status = 401
    code = "AUTHENTICATION_REQUIRED"
    message = "Sign in and send the access token as 'Authorization: Bearer <token>'."


class Forbidden(ApiError):
    status = 403
    code = "FORBIDDEN"
    message = "You may not do this."


class PolicyDenied(Forbidden):
    """The tenant's policies do not allow an act, or want an approval that it cannot wait for."""

    code = "POLICY_DENIED"
    message = "Your policies do not allow this."


class NotFound(ApiError):
    status = 404
    code = "NOT_FOUND"
    message = "There is no such resource."


class MethodNotAllowed(ApiError):
    status = 405
    code = "METHOD_NOT_ALLOWED"
    message = "This path does not offer that method."


class Conflict(ApiError):
    status = 409
    code = "CONSTRAINT_VIOLATION"
    message = "The request conflicts with what is stored."


class PayloadTooLarge(ApiError):
    status = 413
    code = "PAYLOAD_TOO_LARGE"
    message = "The body is larger than this route accepts."


class UnsupportedMediaType(ApiError):
    status = 415
    code = "UNSUPPORTED_MEDIA_TYPE"
    message = "Send the body as the media type this route documents, in UTF-8."


class Unprocessable(ApiError):
    status = 422
    code = "VALIDATION_ERROR"
    message = "The request does not have the documented shape."


class TooManyRequests(ApiError):
    status = 429
    code = "RATE_LIMITED"
    message = "Too many requests in this minute."


class HeadersTooLarge(ApiError):
    status = 431
    code = "BAD_REQUEST"
    message = "The request headers are too large."


class ServiceUnavailable(ApiError):
    status = 503
    code = "SERVICE_UNAVAILABLE"
    message = "A service we depend on does not answer. Try again shortly."

    def __init__(self, message: str | None = None, **extra: Any) -> None:
        extra.setdefault("headers", {"Retry-After": "5"})
        super().__init__(message, **extra)


def envelope(
    code: str, message: str, details: Sequence[Detail], request_id: str, now: datetime
) -> dict[str, Any]:
    """The error body of ERR-1: {"error": {code, message, details, timestamp, request_id}}."""
    return {
        "error": {
            "code": code,
            "message": message,
            "details": [detail.as_dict() for detail in details],
            "timestamp": iso(now),
            "request_id": request_id,
        }
    }
