"""The front door: limits, envelopes, headers, time-outs. The emulator is a stub."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpcore
import pytest

from infra.local.edge import answers
from infra.local.edge import app as edge
from infra.local.edge.limits import Throttle
from infra.local.edge.sockets import upstream_url
from infra.local.edge.targets import Targets, TargetsFile, write

ORIGIN = "https://console.example"
TARGETS = Targets(
    aws_port=1,
    http_api="api1",
    websocket_api="ws1",
    websocket_stage="local",
    cors_origins=(ORIGIN,),
)


class Emulator:
    """Stands in for the connection pool; records requests and gives one answer."""

    def __init__(self, answer: Callable[[], httpcore.Response]) -> None:
        self._answer = answer
        self.requests: list[tuple[str, bytes, list[tuple[bytes, bytes]], bytes]] = []

    async def request(
        self, method: str, url: httpcore.URL, headers: Any, content: bytes
    ) -> httpcore.Response:
        self.requests.append((method, url.target, headers, content))
        made = self._answer()
        if made.status == 299:
            await asyncio.sleep(5)
        return made


def answering(status: int, body: bytes = b"{}", headers: Any = ()) -> Emulator:
    def answer() -> httpcore.Response:
        made = httpcore.Response(status, headers=list(headers), content=body)
        asyncio.get_running_loop()
        made.read()
        return made

    return Emulator(answer)


def failing(error: Exception) -> Emulator:
    def answer() -> httpcore.Response:
        raise error

    return Emulator(answer)


class Client:
    """Calls the ASGI app."""

    def __init__(self, folder: Path, emulator: Emulator, targets: Targets | None = TARGETS) -> None:
        if targets is not None:
            write(folder / "targets.json", targets)
        self.app = edge.FrontDoor(
            TargetsFile(folder / "targets.json"),
            timeout=0.3,
            pool=emulator,  # type: ignore[arg-type]
        )

    def call(
        self,
        path: bytes = b"/things",
        *,
        method: str = "GET",
        headers: Any = (),
        body: list[bytes] | None = None,
        query: bytes = b"",
    ) -> tuple[int, list[tuple[bytes, bytes]], Any]:
        parts = list(body or [b""])
        sent: list[Any] = []

        async def receive() -> Any:
            part = parts.pop(0)
            return {"type": "http.request", "body": part, "more_body": bool(parts)}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "method": method,
            "path": path.decode(),
            "raw_path": path,
            "query_string": query,
            "headers": list(headers),
            "client": ("192.0.2.7", 5),
            "server": ("127.0.0.1", 8000),
            "scheme": "http",
        }
        asyncio.run(self.app(scope, receive, send))
        text = sent[1]["body"]
        return sent[0]["status"], sent[0]["headers"], json.loads(text) if text else None


def error_of(result: tuple[int, Any, Any], status: int) -> dict[str, Any]:
    got, headers, body = result
    assert got == status
    error: dict[str, Any] = body["error"]
    assert error.keys() == {"code", "message", "details", "timestamp", "request_id"}
    assert dict(headers)[b"x-request-id"].decode() == error["request_id"]
    assert error["details"] == []
    return error


def test_requests_go_on_unchanged_with_the_callers_address(tmp_path: Path) -> None:
    emulator = answering(200)
    Client(tmp_path, emulator).call(
        b"/a%2Fb//..;x",
        method="POST",
        query=b"q=%20",
        body=[b"one", b"two"],
        headers=[
            (b"host", b"localhost:8000"),
            (b"x-forwarded-for", b"6.6.6.6"),
            (b"x-local-source-ip", b"6.6.6.6"),
            (b"connection", b"close"),
            (b"transfer-encoding", b"chunked"),
            (b"cookie", b"a=1"),
        ],
    )
    method, target, headers, body = emulator.requests[0]
    assert (method, body) == ("POST", b"onetwo")
    assert target == b"/_local/http/api1/default/a%2Fb//..;x?q=%20"
    assert sorted(headers) == [
        (b"content-length", b"6"),
        (b"cookie", b"a=1"),
        (b"host", b"127.0.0.1"),
        (b"x-forwarded-for", b"6.6.6.6, 192.0.2.7"),
        (b"x-forwarded-port", b"8000"),
        (b"x-forwarded-proto", b"http"),
        (b"x-local-host", b"localhost:8000"),
        (b"x-local-source-ip", b"192.0.2.7"),
    ]


def test_several_set_cookie_lines_survive(tmp_path: Path) -> None:
    lines = [(b"set-cookie", b"a=1"), (b"set-cookie", b"b=2"), (b"x-request-id", b"r")]
    _, headers, _ = Client(tmp_path, answering(200, headers=lines)).call()
    assert [value for name, value in headers if name == b"set-cookie"] == [b"a=1", b"b=2"]
    assert [value for name, value in headers if name == b"x-request-id"] == [b"r"]


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (502, b'{"errorMessage": "secret", "errorType": "KeyError"}', "INTERNAL_ERROR"),
        (500, b"Traceback: secret", "INTERNAL_ERROR"),
        (500, b'{"message": "secret"}', "INTERNAL_ERROR"),
        (404, b'{"message": "Not Found"}', "NOT_FOUND"),
        (429, b'{"message": "secret"}', "RATE_LIMITED"),
    ],
)
def test_gateway_made_answers_get_the_envelope(
    tmp_path: Path, status: int, body: bytes, code: str
) -> None:
    result = Client(tmp_path, answering(status, body)).call()
    error = error_of(result, 500 if status == 502 else status)
    assert error["code"] == code
    assert "secret" not in json.dumps(error)


@pytest.mark.parametrize("status", [404, 422, 500, 503])
def test_a_handlers_own_envelope_passes(tmp_path: Path, status: int) -> None:
    own = {"error": {"code": "MINE"}}
    got, _, body = Client(tmp_path, answering(status, json.dumps(own).encode())).call()
    assert (got, body) == (status, own)


def test_body_limit_counts_what_arrives(tmp_path: Path) -> None:
    emulator = answering(200)
    client = Client(tmp_path, emulator)
    half = b"x" * (edge.MAX_BODY // 2)
    assert client.call(method="POST", body=[half, half])[0] == 200
    result = client.call(method="POST", body=[half, half, b"x"])
    assert error_of(result, 413)["code"] == "PAYLOAD_TOO_LARGE"
    assert len(emulator.requests) == 1


def test_header_bomb(tmp_path: Path) -> None:
    emulator = answering(200)
    result = Client(tmp_path, emulator).call(headers=[(b"x", b"a" * edge.MAX_HEADERS)])
    assert error_of(result, 431)["code"] == "HEADERS_TOO_LARGE"
    assert not emulator.requests


def test_no_answer_in_time(tmp_path: Path) -> None:
    assert error_of(Client(tmp_path, answering(299)).call(), 504)["code"] == "GATEWAY_TIMEOUT"


def test_no_emulator_and_nothing_deployed(tmp_path: Path) -> None:
    down = failing(httpcore.ConnectError("secret"))
    assert error_of(Client(tmp_path, down).call(), 503)["code"] == "SERVICE_UNAVAILABLE"
    nothing = Client(tmp_path / "empty", answering(200), targets=None)
    assert error_of(nothing.call(), 503)["code"] == "SERVICE_UNAVAILABLE"


def test_the_stages_throttle_applies(tmp_path: Path) -> None:
    targets = Targets(aws_port=1, http_api="api1", rate=0.001, burst=2)
    client = Client(tmp_path, answering(200), targets)
    assert [client.call()[0] for _ in range(3)] == [200, 200, 429]


def test_throttle_refills() -> None:
    now = [0.0]
    throttle = Throttle(lambda: now[0])
    assert [throttle.allows(2, 1) for _ in range(2)] == [True, False]
    now[0] = 0.5
    assert [throttle.allows(2, 1) for _ in range(2)] == [True, False]
    assert all(throttle.allows(0, 0) for _ in range(9))


@pytest.mark.parametrize("given", [b"", b"a b", b"x" * 65, b"a\x00"])
def test_request_id_is_kept_only_if_well_formed(given: bytes) -> None:
    assert answers.request_id([(b"x-request-id", b"Mine-1._")]) == "Mine-1._"
    assert len(answers.request_id([(b"x-request-id", given)])) == 36


def test_cors_of_gateway_made_answers_is_exact() -> None:
    def allowed(origin: str) -> bytes | None:
        made = answers.envelope(413, [(b"origin", origin.encode())], TARGETS)
        return dict(made.headers).get(b"access-control-allow-origin")

    assert allowed(ORIGIN) == ORIGIN.encode()
    for origin in ("https://console.example.evil", "http://console.example", "null", ""):
        assert allowed(origin) is None


def test_the_client_id_of_the_path_wins() -> None:
    assert upstream_url(TARGETS, "token=t&client_id=other", "me") == (
        "ws://127.0.0.1:1/_aws/execute-api/ws1/local?token=t&client_id=me"
    )
    assert upstream_url(TARGETS, "client_id=me&ticket=x%26y", None).endswith(
        "?client_id=me&ticket=x%26y"
    )


def test_targets_follow_the_file(tmp_path: Path) -> None:
    file = tmp_path / "targets.json"
    reader = TargetsFile(file)
    assert reader.current() is None
    write(file, TARGETS)
    assert reader.current() == TARGETS
    file.unlink()
    assert reader.current() is None


def test_head_keeps_the_length_and_204_has_none(tmp_path: Path) -> None:
    known = [(b"content-length", b"42")]
    _, headers, body = Client(tmp_path, answering(200, b"", known)).call(method="HEAD")
    assert (headers[0], body) == ((b"content-length", b"42"), None)
    _, headers, body = Client(tmp_path, answering(204, b"", known)).call()
    assert b"content-length" not in dict(headers)
