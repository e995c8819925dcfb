"""Serves a WSGI application on loopback while a test runs."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from socketserver import ThreadingMixIn
from typing import Any
from urllib.parse import parse_qs, unquote
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@contextlib.contextmanager
def serving(application: Any, port: int = 0) -> Iterator[str]:
    """The base URL of a running server."""
    server = make_server("127.0.0.1", port, application, _Server, _Quiet)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


@dataclass(frozen=True)
class Request:
    """One call: method, path, query (last value of each name), JSON body, bearer token."""

    method: str
    path: str
    query: dict[str, str]
    body: Any
    token: str


@dataclass
class Problem(Exception):
    """An answer that is an error."""

    status: int
    body: dict[str, Any]


Handle = Callable[[Request], tuple[int, dict[str, Any]]]


def json_app(handle: Handle) -> Callable[..., Iterable[bytes]]:
    """A WSGI application of a function from request to (status, JSON object)."""

    def application(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        size = int(environ.get("CONTENT_LENGTH") or 0)
        raw = environ["wsgi.input"].read(size) if size else b""
        scheme, _, token = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
        request = Request(
            environ["REQUEST_METHOD"],
            unquote(environ["PATH_INFO"]),
            {k: v[-1] for k, v in parse_qs(environ["QUERY_STRING"]).items()},
            json.loads(raw) if raw else None,
            token if scheme == "Bearer" else "",
        )
        try:
            status, body = handle(request)
        except Problem as problem:
            status, body = problem.status, problem.body
        text = json.dumps(body).encode()
        start(f"{status} -", [("Content-Type", "application/json"),
                              ("Content-Length", str(len(text)))])  # fmt: skip
        return [text]

    return application
