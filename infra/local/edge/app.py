"""The front door's ASGI app: limits, time-outs, envelopes, and the way to the emulator."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import httpcore

from infra.local.edge import sockets
from infra.local.edge.answers import Answer, HeaderList, envelope, needs_envelope, request_id
from infra.local.edge.limits import Throttle
from infra.local.edge.targets import Targets, TargetsFile

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

MAX_BODY = 10 * 1024 * 1024
MAX_DRAINED = 4 * MAX_BODY
MAX_HEADERS = 10_240
TIMEOUT_SECONDS = 30.0
HOP_BY_HOP = frozenset(
    b"connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer "
    b"transfer-encoding upgrade expect".split()
)
OWN_PREFIX = b"x-local-"
"""Headers between the front door and the emulator; a client's are dropped."""

logger = logging.getLogger("edge")


class TooLarge(Exception):
    """The request body passes the gateway's limit."""


class Gone(Exception):
    """The client went away before its request was complete."""


class FrontDoor:
    """One HTTP API and one WebSocket API on one port."""

    def __init__(
        self,
        targets: TargetsFile,
        timeout: float = TIMEOUT_SECONDS,
        pool: httpcore.AsyncConnectionPool | None = None,
    ) -> None:
        self._targets = targets
        self._timeout = timeout
        self._throttle = Throttle()
        self._pool = pool or httpcore.AsyncConnectionPool(
            max_connections=500, max_keepalive_connections=50, keepalive_expiry=30
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one HTTP request, one WebSocket, or the server's lifespan."""
        if scope["type"] == "websocket":
            await sockets.serve(scope, receive, send, self._targets.current())
        elif scope["type"] == "http":
            await self._serve(scope, receive, send)
        else:
            await _lifespan(receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.monotonic()
        asked: HeaderList = list(scope["headers"])
        targets = self._targets.current()
        try:
            answer = await self._answer(scope, receive, asked, targets)
        except Gone:
            return
        if not any(name.lower() == b"x-request-id" for name, _ in answer.headers):
            answer.headers.append((b"x-request-id", request_id(asked).encode()))
        await _send(send, answer, scope["method"] == "HEAD")
        elapsed = (time.monotonic() - started) * 1000
        # The query is left out: it may carry a token.
        logger.info("%s %s %d %.0f ms", scope["method"], scope["path"], answer.status, elapsed)

    async def _answer(
        self, scope: Scope, receive: Receive, asked: HeaderList, targets: Targets | None
    ) -> Answer:
        if targets is None or not targets.http_api:
            return envelope(503, asked, targets)
        raw_path: bytes = scope.get("raw_path") or scope["path"].encode()
        line = len(raw_path) + len(scope["query_string"]) + len(scope["method"])
        if line + sum(len(name) + len(value) for name, value in asked) > MAX_HEADERS:
            return envelope(431, asked, targets)
        if not self._throttle.allows(targets.rate, targets.burst):
            return envelope(429, asked, targets)
        if not raw_path.startswith(b"/"):
            return envelope(400, asked, targets)
        try:
            async with asyncio.timeout(self._timeout):
                body = await _read(receive)
                answer = await self._forward(scope, raw_path, asked, body, targets)
        except TooLarge:
            return envelope(413, asked, targets)
        except TimeoutError:
            logger.warning(
                "%s %s: no answer in %.0f s", scope["method"], scope["path"], self._timeout
            )
            return envelope(504, asked, targets)
        except httpcore.NetworkError as error:
            logger.warning("the emulator cannot be reached: %s", error)
            return envelope(503, asked, targets)
        except (httpcore.ProtocolError, httpcore.TimeoutException) as error:
            logger.warning("%s %s: %r", scope["method"], scope["path"], error)
            return envelope(500, asked, targets)
        if needs_envelope(answer.status, answer.body):
            logger.warning(
                "%s %s: hidden %d %s",
                scope["method"],
                scope["path"],
                answer.status,
                answer.body[:500],
            )
            return envelope(500 if answer.status == 502 else answer.status, asked, targets)
        return answer

    async def _forward(
        self, scope: Scope, raw_path: bytes, asked: HeaderList, body: bytes, targets: Targets
    ) -> Answer:
        target = f"/_local/http/{targets.http_api}/default".encode() + raw_path
        if scope["query_string"]:
            target += b"?" + scope["query_string"]
        response = await self._pool.request(
            scope["method"],
            httpcore.URL(scheme=b"http", host=b"127.0.0.1", port=targets.aws_port, target=target),
            headers=forwarded(scope, asked, len(body)),
            content=body,
        )
        kept = [
            (name, value)
            for name, value in response.headers
            if name.lower() not in HOP_BY_HOP | {b"date", b"server"}
            and (name.lower() != b"content-length" or scope["method"] == "HEAD")
        ]
        return Answer(response.status, kept, response.content)


def forwarded(scope: Scope, asked: HeaderList, length: int) -> HeaderList:
    """Request headers as API Gateway passes them on, with the caller's address added."""
    client = (scope.get("client") or ("127.0.0.1", 0))[0]
    host = b""
    through = b""
    kept: HeaderList = []
    for name, value in asked:
        key = name.lower()
        if key == b"host":
            host = value
        elif key == b"x-forwarded-for":
            through += value + b", "
        elif key in (b"x-forwarded-proto", b"x-forwarded-port", b"content-length"):
            continue
        elif key not in HOP_BY_HOP and not key.startswith(OWN_PREFIX):
            kept.append((name, value))
    port = (scope.get("server") or ("", 0))[1]
    return [
        *kept,
        (b"host", b"127.0.0.1"),
        (b"content-length", str(length).encode()),
        (b"x-forwarded-for", through + client.encode()),
        (b"x-forwarded-proto", scope.get("scheme", "http").encode()),
        (b"x-forwarded-port", str(port).encode()),
        (b"x-local-source-ip", client.encode()),
        (b"x-local-host", host),
    ]


async def _read(receive: Receive) -> bytes:
    """The whole body; one over the limit is read on and dropped, so that a client sees the 413."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Gone
        part: bytes = message.get("body", b"")
        size += len(part)
        if size <= MAX_BODY:
            parts.append(part)
        if not message.get("more_body") or size > MAX_DRAINED:
            if size > MAX_BODY:
                raise TooLarge
            return b"".join(parts)


async def _send(send: Send, answer: Answer, head: bool) -> None:
    headers = list(answer.headers)
    bodiless = answer.status in (204, 304)
    if not bodiless and not any(name.lower() == b"content-length" for name, _ in headers):
        headers.append((b"content-length", str(len(answer.body)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if head or bodiless else answer.body})


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
