"""What the tests of the HTTP edge share."""

from __future__ import annotations

from typing import Any

import httpx

JSON = {"content-type": "application/json"}


def assert_envelope(answer: httpx.Response) -> dict[str, Any]:
    """The one error shape (ERR-1)."""
    body = answer.json()
    assert set(body) == {"error"}
    error: dict[str, Any] = body["error"]
    assert set(error) == {"code", "message", "details", "timestamp", "request_id"}
    assert error["request_id"] == answer.headers["x-request-id"]
    assert all(set(detail) == {"field", "message"} for detail in error["details"])
    return error


def edge_limit() -> int:
    return 10_240
