"""WebSocket handshakes: the answer of the $connect function is the answer to the client."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from contextvars import ContextVar
from typing import Any

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]

_refusal: ContextVar[dict[str, int] | None] = ContextVar("refusal", default=None)


def install() -> None:
    """Remember the status that $connect gave; MiniStack turns every refusal into 403."""
    from ministack.services import apigateway

    invoke: Callable[..., Awaitable[Any]] = apigateway._invoke_ws_lambda

    async def invoke_and_remember(*arguments: Any, **options: Any) -> Any:
        answer = await invoke(*arguments, **options)
        seen = _refusal.get()
        if seen is not None and "CONNECT" in arguments:
            status = int((answer or {}).get("statusCode", 500))
            seen["status"] = status if 400 <= status < 500 else 500
        return answer

    apigateway._invoke_ws_lambda = invoke_and_remember


def with_refusals(scope: Message, send: Send) -> Send:
    """A ``send`` that refuses a handshake with the status that $connect gave."""
    seen: dict[str, int] = {}
    _refusal.set(seen)
    opened = False
    can_answer = "websocket.http.response" in (scope.get("extensions") or {})

    async def send_refusal(message: Message) -> None:
        nonlocal opened
        opened = opened or message["type"] != "websocket.close"
        if opened or not can_answer or "status" not in seen:
            await send(message)
            return
        await send(
            {
                "type": "websocket.http.response.start",
                "status": seen["status"],
                "headers": [(b"content-type", b"application/json")],
            }
        )
        await send({"type": "websocket.http.response.body", "body": b"{}"})

    return send_refusal
