"""WebSockets through the front door: ``/ws/{client_id}`` and ``/ws`` to the WebSocket API."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qsl, urlencode

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from infra.local.edge.answers import envelope
from infra.local.edge.targets import Targets

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

MAX_FRAME = 32 * 1024
MAX_MESSAGE = 128 * 1024
LONGEST_SECONDS = 2 * 3600
IDLE_SECONDS = 600
HANDSHAKE_SECONDS = 29

_PATH = re.compile(r"(?:/api)?/ws(?:/(?P<client>[^/]+))?/?")
_PASSED_ON = frozenset({b"origin", b"user-agent", b"cookie", b"authorization", b"accept-language"})

logger = logging.getLogger("edge")


async def serve(scope: Scope, receive: Receive, send: Send, targets: Targets | None) -> None:
    """Serve one WebSocket from handshake to close."""
    await receive()  # websocket.connect
    match = _PATH.fullmatch(scope["path"])
    if match is None:
        await refuse(scope, send, 404, targets)
        return
    if targets is None or not targets.websocket_api:
        await refuse(scope, send, 503, targets)
        return
    try:
        upstream = await connect(
            upstream_url(targets, scope["query_string"].decode("latin-1"), match["client"]),
            additional_headers=_headers(scope),
            user_agent_header=None,
            compression=None,
            max_size=MAX_MESSAGE,
            open_timeout=HANDSHAKE_SECONDS,
            ping_interval=None,
            proxy=None,
        )
    except InvalidStatus as error:
        await refuse(scope, send, error.response.status_code, targets)
        return
    except (OSError, TimeoutError, InvalidHandshake) as error:
        logger.warning("WS %s: %r", scope["path"], error)
        await refuse(scope, send, 503, targets)
        return
    await send({"type": "websocket.accept"})
    logger.info("WS %s open", scope["path"])
    code, reason = await _relay(receive, send, upstream)
    with contextlib.suppress(Exception):  # the client may be gone
        await send({"type": "websocket.close", "code": code, "reason": reason})
    logger.info("WS %s closed %d", scope["path"], code)


def upstream_url(targets: Targets, query: str, client_id: str | None) -> str:
    """The emulator's address of the WebSocket API, the client id moved to the query."""
    pairs = parse_qsl(query, keep_blank_values=True)
    if client_id is not None:
        pairs = [(key, value) for key, value in pairs if key != "client_id"]
        pairs.append(("client_id", client_id))
    return (
        f"ws://127.0.0.1:{targets.aws_port}/_aws/execute-api/{targets.websocket_api}/"
        f"{targets.websocket_stage}?{urlencode(pairs)}"
    )


def _headers(scope: Scope) -> list[tuple[str, str]]:
    kept = [
        (name.decode("latin-1"), value.decode("latin-1"))
        for name, value in scope["headers"]
        if name.lower() in _PASSED_ON
    ]
    return [*kept, ("x-local-source-ip", (scope.get("client") or ("127.0.0.1", 0))[0])]


async def refuse(scope: Scope, send: Send, status: int, targets: Targets | None) -> None:
    """Answer the handshake with an HTTP error, as API Gateway does."""
    if "websocket.http.response" not in (scope.get("extensions") or {}):
        await send({"type": "websocket.close", "code": 1008})
        return
    answer = envelope(status, list(scope["headers"]), targets)
    headers = answer.headers
    if status == 401:
        headers = [*headers, (b"www-authenticate", b"Bearer")]
    await send({"type": "websocket.http.response.start", "status": status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": answer.body})


async def _relay(receive: Receive, send: Send, upstream: ClientConnection) -> tuple[int, str]:
    """Pass frames both ways until one side ends; return the close code for the client."""
    to_api = asyncio.create_task(_to_api(receive, upstream))
    to_client = asyncio.create_task(_to_client(send, upstream))
    done, waiting = await asyncio.wait(
        {to_api, to_client}, timeout=LONGEST_SECONDS, return_when=asyncio.FIRST_COMPLETED
    )
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    code, reason = 1001, "Going away"
    for task in done:
        if task.exception() is None:
            code, reason = task.result()
    with contextlib.suppress(Exception):
        await upstream.close(code if code != 1005 else 1000, reason)
    return (1000 if code in (1005, 1006) else code), reason


async def _to_api(receive: Receive, upstream: ClientConnection) -> tuple[int, str]:
    while True:
        try:
            message = await asyncio.wait_for(receive(), IDLE_SECONDS)
        except TimeoutError:
            return 1001, "Going away"
        if message["type"] == "websocket.disconnect":
            return int(message.get("code") or 1005), str(message.get("reason") or "")
        text = message.get("text")
        payload = text if text is not None else message.get("bytes", b"")
        if len(payload if isinstance(payload, bytes) else payload.encode()) > MAX_FRAME:
            return 1009, "Frame too large"
        try:
            await upstream.send(payload)
        except ConnectionClosed as closed:
            return _code_of(closed)


async def _to_client(send: Send, upstream: ClientConnection) -> tuple[int, str]:
    try:
        while True:
            payload = await upstream.recv()
            kind = "text" if isinstance(payload, str) else "bytes"
            await send({"type": "websocket.send", kind: payload})
    except ConnectionClosed as closed:
        return _code_of(closed)


def _code_of(closed: ConnectionClosed) -> tuple[int, str]:
    return (closed.rcvd.code, closed.rcvd.reason) if closed.rcvd else (1006, "")
