"""Answers that the gateway makes itself, in the one error envelope of the contract (ERR-1)."""

from __future__ import annotations

import json
import re
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime

from infra.local.edge.targets import Targets

HeaderList = list[tuple[bytes, bytes]]

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

CODES = {
    400: ("BAD_REQUEST", "The request could not be read."),
    403: ("FORBIDDEN", "The request was refused."),
    404: ("NOT_FOUND", "There is nothing at this address."),
    405: ("METHOD_NOT_ALLOWED", "The method is not allowed here."),
    413: ("PAYLOAD_TOO_LARGE", "The request body is too large."),
    429: ("RATE_LIMITED", "Too many requests; try again later."),
    431: ("HEADERS_TOO_LARGE", "The request line and headers are too large."),
    500: ("INTERNAL_ERROR", "Something went wrong; the request id helps to find it."),
    503: ("SERVICE_UNAVAILABLE", "The service is not available; try again later."),
    504: ("GATEWAY_TIMEOUT", "The service did not answer in time."),
}


@dataclass(frozen=True)
class Answer:
    """A complete HTTP answer."""

    status: int
    headers: HeaderList
    body: bytes


def value_of(headers: HeaderList, name: bytes) -> str:
    """The first value of a header, or an empty text."""
    for key, value in headers:
        if key.lower() == name:
            return value.decode("latin-1")
    return ""


def request_id(headers: HeaderList) -> str:
    """The caller's request id if it is well formed, else a new one."""
    given = value_of(headers, b"x-request-id")
    return given if _REQUEST_ID.fullmatch(given) else str(uuid.uuid4())


def envelope(status: int, asked: HeaderList, targets: Targets | None) -> Answer:
    """The error envelope for a gateway-made answer to a request with headers *asked*."""
    code, message = CODES.get(status, CODES[500 if status >= 500 else 400])
    identity = request_id(asked)
    now = datetime.now(UTC)
    body = {
        "error": {
            "code": code,
            "message": message,
            "details": [],
            "timestamp": now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "request_id": identity,
        }
    }
    headers = [
        (b"content-type", b"application/json"),
        (b"x-request-id", identity.encode()),
        (b"strict-transport-security", b"max-age=31536000; includeSubDomains"),
        (b"x-content-type-options", b"nosniff"),
        (b"x-frame-options", b"DENY"),
        (b"cache-control", b"no-store"),
    ]
    if status in (429, 503):
        headers.append((b"retry-after", b"1"))
    if targets is not None:
        headers += [
            (b"x-tidegate-env", targets.environment.encode()),
            (b"x-tidegate-stage", targets.stage.encode()),
            (b"x-tidegate-version", targets.version.encode()),
        ]
        headers += cors(asked, targets)
    return Answer(status, headers, json.dumps(body).encode())


def cors(asked: HeaderList, targets: Targets) -> HeaderList:
    """What lets a page of an allowed origin read a gateway-made answer."""
    origin = value_of(asked, b"origin")
    if origin not in targets.cors_origins:
        return [(b"vary", b"Origin")]
    return [
        (b"access-control-allow-origin", origin.encode()),
        (b"access-control-allow-credentials", b"true"),
        (b"access-control-expose-headers", b"X-Request-Id, Retry-After"),
        (b"vary", b"Origin"),
    ]


def needs_envelope(status: int, body: bytes) -> bool:
    """Whether an answer was made by the gateway or hides a crash, so that it is replaced.

    API Gateway's own answers are ``{"message": ...}``; handlers answer with the envelope.
    """
    if status < 400:
        return False
    try:
        data = json.loads(body)
    except ValueError:
        return status >= 500
    if not isinstance(data, dict):
        return status >= 500
    if isinstance(data.get("error"), dict):
        return False
    return status >= 500 or data.keys() <= {"message", "Message"}
