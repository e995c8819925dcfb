"""A server on this machine that speaks OpenAI's chat completions, well or badly."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "sk-test-canary"


@dataclass
class OpenAiServer:
    """What it answers, and what it was asked: (path, authorization, body)."""

    port: int = 0
    status: int = 200
    text: str = "hello from the server"
    usage: Any = field(default_factory=lambda: {"prompt_tokens": 12, "completion_tokens": 3})
    raw: bytes | None = None
    hang: threading.Event | None = None
    asked: list[tuple[str, str | None, dict[str, Any]]] = field(default_factory=list)

    @property
    def base_url(self) -> str:
        """What ai_base_url is set to."""
        return f"http://127.0.0.1:{self.port}/v1"

    def answer(self) -> bytes:
        """The body of the next answer."""
        if self.raw is not None:
            return self.raw
        if self.status != 200:
            return json.dumps({"error": {"message": "canary of the provider"}}).encode()
        message = {"role": "assistant", "content": self.text}
        body: dict[str, Any] = {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        }
        if self.usage is not None:
            body["usage"] = self.usage
        return json.dumps(body).encode()


@contextmanager
def openai_server(port: int = 0) -> Iterator[OpenAiServer]:
    """The server, listening on loopback."""
    state = OpenAiServer()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            body = json.loads(self.rfile.read(length))
            state.asked.append((self.path, self.headers.get("Authorization"), body))
            if state.hang is not None:
                state.hang.wait(20)
                return
            data = state.answer()
            self.send_response(state.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    state.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        if state.hang is not None:
            state.hang.set()
        server.shutdown()
        server.server_close()
        thread.join()
