"""ASGI wrapper around MiniStack: the front door's entrance and a few questions for the localizer.

Everything outside ``/_local/`` is MiniStack's.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from infra.local.emulator import http_api, sockets

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

PREFIX = "/_local/"
SOURCE_HEADER = "x-local-source-ip"
HOST_HEADER = "x-local-host"


def wrap(app: App) -> App:
    """MiniStack's app with the ``/_local/`` paths in front."""

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        path = str(scope.get("path", ""))
        if scope["type"] == "http" and path.startswith(PREFIX):
            await _local(scope, receive, send)
            return
        if scope["type"] == "websocket":
            scope = _from_the_caller(scope)
            send = sockets.with_refusals(scope, send)
        await app(scope, receive, send)

    return wrapped


def _from_the_caller(scope: Scope) -> Scope:
    """A WebSocket scope that shows the client's own address and host, not the front door's."""
    fields = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    if SOURCE_HEADER not in fields:
        return scope
    hidden = {SOURCE_HEADER.encode(), HOST_HEADER.encode()}
    headers = [(name, value) for name, value in scope["headers"] if name not in hidden]
    return {**scope, "headers": headers, "client": (fields[SOURCE_HEADER], 0)}


async def _local(scope: Scope, receive: Receive, send: Send) -> None:
    parts = str(scope["path"])[len(PREFIX) :].split("/", 3)
    if parts[0] == "http" and len(parts) >= 3:
        status, headers, body = await _http(scope, receive, parts[1], parts[2])
    elif parts[0] == "types":
        status, headers, body = _json(_resource_types())
    elif parts[0] == "save":
        await asyncio.to_thread(_save)
        status, headers, body = _json({"saved": True})
    else:
        status, headers, body = 404, {}, b""
    await _answer(send, status, headers, body)


async def _http(
    scope: Scope, receive: Receive, api_id: str, stage: str
) -> tuple[int, dict[str, Any], bytes]:
    fields = [(n.decode("latin-1"), v.decode("latin-1")) for n, v in scope["headers"]]
    own = {SOURCE_HEADER: "127.0.0.1", HOST_HEADER: "127.0.0.1"}
    headers = []
    for name, value in fields:
        if name.lower() in own:
            own[name.lower()] = value
        else:
            headers.append((name, value))
    raw = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
    # /_local/http/<api>/<stage>/<path>
    path = "/" + "/".join(raw.split("/")[5:])
    return await http_api.execute(
        api_id,
        "$default" if stage == "default" else stage,
        scope["method"],
        path,
        scope.get("query_string", b"").decode("latin-1"),
        headers,
        await _body(receive),
        own[SOURCE_HEADER],
        own[HOST_HEADER],
    )


async def _body(receive: Receive) -> bytes:
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if message["type"] == "http.disconnect" or not message.get("more_body"):
            return b"".join(parts)


def _resource_types() -> list[str]:
    from ministack.services.cloudformation import provisioners

    return sorted(provisioners._RESOURCE_HANDLERS)


def _save() -> None:
    """Write the state down now: MiniStack itself does so only when it stops gracefully."""
    from ministack import app
    from ministack.core import persistence

    persistence.save_all(app._build_persistence_save_dict())


def _json(value: Any) -> tuple[int, dict[str, Any], bytes]:
    return 200, {"Content-Type": "application/json"}, json.dumps(value).encode()


async def _answer(send: Send, status: int, headers: dict[str, Any], body: bytes) -> None:
    lines = []
    for name, value in headers.items():
        if name.lower() == "content-length":
            continue
        for item in value if isinstance(value, list | tuple) else [value]:
            lines.append((name.lower().encode("latin-1"), str(item).encode("latin-1", "replace")))
    lines.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": lines})
    await send({"type": "http.response.body", "body": body})
