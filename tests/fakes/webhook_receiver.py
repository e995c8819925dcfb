"""A receiver of webhooks on loopback: keeps what came and answers as told, path by path."""

from __future__ import annotations

import contextlib
import json
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Received:
    """One call as it came."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def id(self) -> str:
        """Its webhook-id."""
        return self.headers["webhook-id"]

    @property
    def event(self) -> dict[str, Any]:
        """The body {type, timestamp, data}."""
        event: dict[str, Any] = json.loads(self.body)
        return event


@dataclass(frozen=True)
class Answer:
    """What to answer. `before` runs first, for receivers that are slow or break off."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    before: Callable[[], None] = lambda: None


class Receiver:
    """`answers[path]` are given in order, the last one for ever; without any it is 200."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.answers: dict[str, list[Answer]] = {}
        self._came: dict[str, list[Received]] = defaultdict(list)
        self._news = threading.Condition()

    def url(self, path: str) -> str:
        """The address of a path."""
        return f"http://127.0.0.1:{self.port}{path}"

    def came(self, path: str) -> list[Received]:
        """What came to a path so far."""
        with self._news:
            return list(self._came[path])

    def wait(self, path: str, count: int, timeout: float = 60.0) -> list[Received]:
        """Wait until so many calls came to a path, and give them."""
        with self._news:
            arrived = self._news.wait_for(lambda: len(self._came[path]) >= count, timeout)
            assert arrived, f"{len(self._came[path])} of {count} calls came to {path}"
            return list(self._came[path])

    def take(self, call: Received) -> Answer:
        """Keep a call and say how it is answered."""
        with self._news:
            self._came[call.path].append(call)
            self._news.notify_all()
            planned = self.answers.get(call.path, [Answer()])
            return planned[min(len(self._came[call.path]), len(planned)) - 1]


@contextlib.contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver that runs as long as the block."""
    receiver: Receiver

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers.get("content-length", "0"))
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = receiver.take(Received(self.path, headers, self.rfile.read(length)))
            answer.before()
            with contextlib.suppress(ConnectionError):  # it may have hung up by now
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver = Receiver(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
