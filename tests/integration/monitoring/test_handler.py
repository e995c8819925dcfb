"""The deployed handler of monitoring, which is also the API's $default, on Lambda events."""

from __future__ import annotations

import gc
import json
import sys
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import boto3
import pytest
from tidegate_kit.http import blocking
from tidegate_kit.settings import Settings, settings_of

from tests.builders.settings import REGION
from tests.fakes.recorded import vectors


@pytest.fixture
def handler(platform: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """handler.py as Lambda imports it."""
    url = str(boto3.client("sqs", region_name=REGION).create_queue(QueueName="dead")["QueueUrl"])
    monkeypatch.setenv("EVENTS_DEAD_LETTER_URL", url)
    settings_of.cache_clear()
    monkeypatch.delitem(sys.modules, "tidegate.monitoring.handler", raising=False)
    yield import_module("tidegate.monitoring.handler").handler
    blocking.run_inline(False)
    gc.unfreeze()


def event(method: str, path: str, **more: Any) -> dict[str, Any]:
    """An HTTP API event, payload format 2.0."""
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"host": "api.example.com", "x-forwarded-for": "192.0.2.1"},
        "requestContext": {
            "http": {
                "method": method,
                "path": path,
                "sourceIp": "203.0.113.7",
                "protocol": "HTTP/1.1",
            },
            "stage": "$default",
            "requestId": "r",
        },
        "isBase64Encoded": False,
        **more,
    }


@pytest.mark.hazard("D17")
@pytest.mark.bite("tidegate_kit.http.app._is_http_event", returns=True)
def test_recorded_events_of_every_kind_are_answered(handler: Any) -> None:
    """D17: recorded HTTP events are unknown paths; events of other services are refused."""
    answers = {}
    for path in sorted(vectors("lambda-events").glob("*.json")):
        try:
            answer = handler(json.loads(path.read_text()), None)
        except Exception as error:
            pytest.fail(f"{path.name}: {error!r}")
        answers[path.name] = answer["statusCode"]
        assert set(json.loads(answer["body"])["error"]) >= {"code", "message", "request_id"}
    wanted = {name: 404 if name.startswith("apiGatewayProxyV2") else 400 for name in answers}
    assert answers == wanted


@pytest.mark.hazard("D17")
def test_bodies_and_headers_in_odd_forms_are_no_crash(handler: Any) -> None:
    """D17: bad base64, header case, missing parts of an event: 4xx or the plain answer."""
    for changed, status in (
        ({"isBase64Encoded": True, "body": "%%%"}, 400),
        ({"headers": {"X-Request-Id": "a", "x-request-id": "b"}}, 200),
        ({"requestContext": {}}, 400),
        ({"requestContext": None}, 400),
        ({"version": "1.0"}, 400),
        ({"headers": {}}, 200),
    ):
        assert handler(event("GET", "/health", **changed), None)["statusCode"] == status, changed


def test_health_and_the_unknown(handler: Any) -> None:
    for path in ("/health", "/api/health", "/monitoring/health", "/docs"):
        assert handler(event("GET", path), None)["statusCode"] == 200
    for method, path, status in (
        ("GET", "/nowhere", 404), ("GET", "/", 404), ("DELETE", "/health", 405),
        ("TRACE", "/health", 405),
    ):  # fmt: skip
        answer = handler(event(method, path), None)
        assert answer["statusCode"] == status
        assert set(json.loads(answer["body"])) == {"error"}
        assert answer["headers"]["x-tidegate-stage"] == "test"


def test_a_ping_tells_what_is_mounted(handler: Any) -> None:
    pong = handler({"tidegate_ping": True}, None)
    assert pong["domain"] == "monitoring"
    assert "GET /health" in pong["routes"]
