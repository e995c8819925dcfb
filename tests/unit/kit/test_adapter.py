"""The Lambda adapter: events to ASGI and answers back, byte for byte."""

from __future__ import annotations

import base64
import json
from asyncio import sleep
from typing import Any

import pytest
from fastapi import Response
from tidegate_kit.auth.permissions import PUBLIC
from tidegate_kit.http import CurrentCall, Router, lambda_app
from tidegate_kit.http.adapter import LambdaAdapter, answer_of, scope_of
from tidegate_kit.settings import Settings


def event(method: str = "GET", path: str = "/echo", **changes: Any) -> dict[str, Any]:
    return {
        "version": "2.0", "rawPath": path, "rawQueryString": "a=%C3%A9&a=2",
        "isBase64Encoded": False,
        "headers": {"Host": "[::1]:8000:x", "X-Request-Id": "r1", "x-forwarded-port": "abc"},
        "cookies": ["a=1", "b=2"],
        "requestContext": {"http": {"method": method, "path": path, "sourceIp": "203.0.113.9"}},
        **changes,
    }  # fmt: skip


@pytest.fixture
def handler(platform: Settings, monkeypatch: pytest.MonkeyPatch) -> Any:
    router = Router("adapter")

    @router.get("/echo", permission=PUBLIC, rate="NONE")
    def echo(call: CurrentCall, a: str) -> dict[str, Any]:
        call.cookies_out += ["x=1; Path=/", "y=2; Path=/"]
        return {"ip": call.client_ip, "cookies": dict(call.cookies), "a": a}

    @router.get("/picture", permission=PUBLIC, rate="NONE")
    def picture() -> Response:
        return Response(b"\x89PNG\x00", media_type="image/png")

    @router.get("/latin", permission=PUBLIC, rate="NONE")
    def latin() -> Response:
        return Response(b"\xe9", media_type="text/plain; charset=latin-1")

    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "test")
    yield lambda_app(router)
    from tidegate_kit.http.blocking import run_inline

    run_inline(False)


def test_an_event_becomes_a_call_and_its_answer(handler: Any) -> None:
    answer = handler(event(path="/api/echo/"), None)
    assert answer["statusCode"] == 200
    assert json.loads(answer["body"]) == {
        "ip": "203.0.113.9", "cookies": {"a": "1", "b": "2"}, "a": "2"
    }  # fmt: skip
    assert answer["cookies"] == ["x=1; Path=/", "y=2; Path=/"]
    assert "set-cookie" not in answer["headers"]
    assert answer["headers"]["x-request-id"] == "r1"
    assert answer["isBase64Encoded"] is False
    assert handler(event(), None)["statusCode"] == 200


def test_bytes_travel_as_base64(handler: Any) -> None:
    for path, body in (("/picture", b"\x89PNG\x00"), ("/latin", b"\xe9")):
        answer = handler(event(path=path), None)
        assert answer["isBase64Encoded"] is True
        assert base64.b64decode(answer["body"]) == body
    unchanged = event(path="/picture")
    tag = handler(unchanged, None)["headers"]["etag"]
    unchanged["headers"]["If-None-Match"] = tag
    answer = handler(unchanged, None)
    assert (answer["statusCode"], answer["body"], answer["isBase64Encoded"]) == (304, "", False)


def test_an_app_that_waits_is_an_error_and_not_a_hang(handler: Any) -> None:
    async def waits(scope: Any, receive: Any, send: Any) -> None:
        await sleep(0)

    with pytest.raises(RuntimeError, match="waited"):
        LambdaAdapter(waits)(event(), None)


def test_the_scope_is_what_the_event_says() -> None:
    scope = scope_of(event("post", "/a%20b/%2e%2e/ü"))
    assert (scope["method"], scope["path"]) == ("POST", "/a b/../ü")
    assert scope["raw_path"] == "/a%20b/%2e%2e/ü".encode()
    assert scope["query_string"] == b"a=%C3%A9&a=2"
    assert (b"cookie", b"a=1; b=2") in scope["headers"]
    assert scope["client"] == ("203.0.113.9", 0)


def test_repeated_answer_headers_are_joined_but_cookies_are_not() -> None:
    raw = [(b"A", b"1"), (b"a", b"2"), (b"Set-Cookie", b"x"), (b"set-cookie", b"y")]
    answer = answer_of(204, raw, b"")
    assert answer["headers"] == {"a": "1, 2"}
    assert answer["cookies"] == ["x", "y"]
    assert answer["body"] == ""
