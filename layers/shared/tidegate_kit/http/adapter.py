"""From an API Gateway event to an ASGI call and back, without a turn of an event loop.

Mangum is the base; its own cycle splits Host headers it cannot read, computes each scope twice and
passes messages through a queue. `tidegate_kit.http.app` refuses events that are no HTTP API event
before they come here.
"""

from __future__ import annotations

import asyncio
import base64
import contextvars
from collections.abc import Coroutine
from typing import Any
from urllib.parse import unquote

from mangum import Mangum
from starlette.types import ASGIApp, Message, Scope

from tidegate_kit.http.blocking import is_inline

_TEXT = ("text/", "application/json", "application/openapi")


class LambdaAdapter(Mangum):
    """Calls an ASGI app for HTTP API events, payload format 2.0."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(app, lifespan="off")  # type: ignore[arg-type]
        self._asgi = app
        self._loop = asyncio.new_event_loop()

    def __call__(self, event: Any, context: Any) -> dict[str, Any]:
        """The gateway's answer to an event."""
        return contextvars.copy_context().run(self._drive, self._answer(event))

    def _drive(self, call: Coroutine[Any, Any, dict[str, Any]]) -> dict[str, Any]:
        if not is_inline():
            return self._loop.run_until_complete(call)
        # Plain functions run inline, so the call ends without ever waiting for a loop's turn.
        try:
            call.send(None)
        except StopIteration as done:
            answer: dict[str, Any] = done.value
            return answer
        call.close()
        raise RuntimeError("a call waited, although routes and dependencies are plain functions")

    async def _answer(self, event: dict[str, Any]) -> dict[str, Any]:
        incoming: Message = {"type": "http.request", "body": body_of(event), "more_body": False}
        start: Message = {}
        chunks: list[bytes] = []

        async def receive() -> Message:
            nonlocal incoming
            message, incoming = incoming, {"type": "http.disconnect"}
            return message

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
            else:
                chunks.append(message.get("body", b""))

        await self._asgi(scope_of(event), receive, send)
        return answer_of(start["status"], start.get("headers", []), b"".join(chunks))


def body_of(event: dict[str, Any]) -> bytes:
    """The request's body."""
    body = event.get("body") or ""
    return base64.b64decode(body) if event.get("isBase64Encoded") else body.encode()


def scope_of(event: dict[str, Any]) -> Scope:
    """The ASGI scope. The client is the gateway's view of it (RATE-3)."""
    http = event["requestContext"]["http"]
    headers = [
        (name.lower().encode("latin-1"), value.encode("latin-1"))
        for name, value in event["headers"].items()
    ]
    if event.get("cookies"):
        headers.append((b"cookie", "; ".join(event["cookies"]).encode("latin-1")))
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": http["method"].upper(),
        "scheme": "https",
        "path": unquote(event["rawPath"]),
        "raw_path": event["rawPath"].encode(),
        "query_string": event.get("rawQueryString", "").encode(),
        "root_path": "",
        "headers": headers,
        "client": (http["sourceIp"], 0),
        "server": ("lambda", 443),
    }


def answer_of(status: int, raw: list[tuple[bytes, bytes]], body: bytes) -> dict[str, Any]:
    """The gateway's answer; what is not text goes in base64, cookies go apart."""
    headers: dict[str, str] = {}
    cookies: list[str] = []
    for name_bytes, value_bytes in raw:
        name, value = name_bytes.decode("latin-1").lower(), value_bytes.decode("latin-1")
        if name == "set-cookie":
            cookies.append(value)
        else:
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
    answer: dict[str, Any] = {"statusCode": status, "headers": headers, "isBase64Encoded": False}
    if cookies:
        answer["cookies"] = cookies
    text = headers.get("content-type", "").startswith(_TEXT)
    try:
        answer["body"] = body.decode() if text or not body else base64.b64encode(body).decode()
        answer["isBase64Encoded"] = bool(body) and not text
    except UnicodeDecodeError:
        answer["body"], answer["isBase64Encoded"] = base64.b64encode(body).decode(), True
    return answer
