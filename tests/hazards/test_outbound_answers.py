"""Outbound calls to addresses given by users: headers sent, answers read (F, INT-7)."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tidegate_kit.outbound import (
    OutboundAnswer,
    OutboundClient,
    OutboundFailed,
)
from tidegate_kit.outbound import network as network_module

from tests.builders.outbound import (
    DEVELOPMENT,
    HOST,
    PUBLIC,
    URL,
    Network,
    assert_refused,
    outcome,
)
from tests.builders.tls import OK, Authority, Server, reply, serve


@pytest.fixture
def network() -> Network:
    return Network()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def target(authority: Authority, network: Network) -> Iterator[Server]:
    """The public host, answering 200."""
    with serve(OK, authority.server_context(HOST)) as server:
        network.port = server.port
        yield server


@pytest.mark.hazard("F9")
@pytest.mark.bite("tidegate_kit.outbound.headers._check", returns=None, cases=["name", "value"])
@pytest.mark.parametrize(
    ("name", "value"),
    [("a\r\nx", "1"), ("a\nx", "1"), ("a b", "1"), ("a:", "1"), ("", "1"), ("ä", "1"),
     ("a\x00", "1"), ("a", "1\r\nx: 2"), ("a", "1\n"), ("a", "1\r"), ("a", "\x00"), ("a", "ä"),
     ("a", "\x7f"), ("a", "x" * 5000)],
    ids=[*["name"] * 7, *["value"] * 7],
)  # fmt: skip
def test_line_breaks_in_headers_are_refused(network: Network, name: str, value: str) -> None:
    """F9: CR, LF and other control characters in header names and values are 422."""
    assert_refused(network, URL, headers={name: value})


@pytest.mark.hazard("F9")
def test_line_breaks_in_the_path_or_method_are_refused(network: Network) -> None:
    """F9: CR LF in path, query or method is 422; percent-encoded it stays encoded."""
    for tail in ("/a\r\nHost: x", "/a\nb", "/?q=\r\nx", "/\x0b", "/\x85", "/ HTTP/1.1"):
        assert_refused(network, f"https://{HOST}{tail}")
    for method in ("GET\r\n", "get", "TRACE", "CONNECT", "", "G E T", "PROPFIND"):
        assert_refused(network, URL, method=method)


RESERVED = [
    "Host", "Cookie", "Content-Length", "Transfer-Encoding", "Connection", "Keep-Alive", "TE",
    "Trailer", "Upgrade", "Proxy-Authorization", "Proxy-Connection", "Expect", "Authorization",
    "AUTHORIZATION", "X-Forwarded-For", "Forwarded", "Via", "X-Real-IP", "X-Tidegate-Hops",
    "X-HTTP-Method-Override", "Accept-Encoding", "Sec-Fetch-Site", "HTTP2-Settings",
    "X-aws-ec2-metadata-token",
]  # fmt: skip


@pytest.mark.hazard("F13")
@pytest.mark.bite("tidegate_kit.outbound.headers._REFUSED", replacement=frozenset(), cases="Host")
@pytest.mark.bite(
    "tidegate_kit.outbound.headers._SECRET_ONLY", replacement=frozenset(), cases="AUTHORIZATION"
)
@pytest.mark.parametrize("name", RESERVED)
def test_framing_routing_and_credential_headers_are_ours(network: Network, name: str) -> None:
    """F13: Host, Cookie, Content-Length, hop-by-hop and a user's Authorization are refused."""
    assert_refused(network, URL, headers={name: "x"})


@pytest.mark.hazard("F13")
def test_a_declared_secret_may_authorise(
    authority: Authority, network: Network, target: Server
) -> None:
    """F13: Authorization from a declared secret is sent; it cannot set a reserved header."""
    client = network.client(trust=authority.trust())
    client.request(
        "POST", URL, headers={"Content-Type": ""}, secret_headers={"Authorization": "Bearer s"}
    )
    head = target.requests[0].decode().lower()
    assert "authorization: bearer s\r\n" in head
    assert "content-type: \r\n" in head
    assert "content-length: 0\r\n" in head
    assert_refused(Network(), URL, secret_headers={"Host": "x"})
    assert_refused(Network(), URL, headers={"X-A": "1"}, secret_headers={"x-a": "2"})
    assert_refused(Network(), URL, headers={f"x-{n}": "1" for n in range(51)})


@pytest.mark.hazard("F6")
@pytest.mark.bite("tidegate_kit.outbound.client._REDIRECTS", replacement=frozenset())
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_end_the_call(authority: Authority, network: Network, status: int) -> None:
    """F6: a redirect to anything is a failure with its status; one socket, nothing followed."""
    for location in ("http://169.254.169.254/", "/other", "https://hooks.example.com/x", ""):
        raw = f"HTTP/1.1 {status} X\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n"
        with serve(reply(raw.encode()), authority.server_context(HOST)) as server:
            network.port = server.port
            network.dialled.clear()
            result = outcome(network.client(trust=authority.trust()), URL)
            assert isinstance(result, OutboundFailed)
            assert (result.reason, result.target_status) == ("redirect", status)
            assert len(server.requests) == len(network.dialled) == 1


def _endless(chunk: bytes, head: bytes = b"HTTP/1.1 200 OK\r\n\r\n") -> Callable[[Any], None]:
    def run(connection: socket.socket) -> None:
        connection.sendall(head)
        while True:
            connection.sendall(chunk)

    return run


@pytest.fixture
def local(network: Network) -> Callable[..., Any]:
    """Call a local http server that answers with the given function; the answer or error."""

    def call(answer: Callable[[Any], None], **options: Any) -> OutboundAnswer | Exception:
        with serve(answer) as server:
            network.port = server.port
            url = f"http://127.0.0.1:{server.port}/"
            return outcome(network.client(DEVELOPMENT), url, allow_local=True, **options)

    return call


@pytest.mark.hazard("F10")
def test_an_endless_body_is_capped_by_bytes(local: Callable[..., Any]) -> None:
    """F10: a body of 10 GB or without end stops at the cap: failure, or cut where asked."""
    huge = b"HTTP/1.1 200 OK\r\ncontent-length: 10000000000\r\n\r\n"
    chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    for answer in (
        _endless(b"x" * 65536),
        _endless(b"x" * 65536, huge),
        _endless(b"ffff\r\n" + b"x" * 65535 + b"\r\n", chunked),
    ):
        result = local(answer, max_bytes=1000)
        assert isinstance(result, OutboundFailed)
        assert (result.reason, result.target_status) == ("too_large", 200)
        cut = local(answer, max_bytes=1000, excess="cut")
        assert (cut.status, len(cut.body), cut.truncated) == (200, 1000, True)
    exact = reply(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n" + b"x" * 1000)
    assert len(local(exact, max_bytes=1000).body) == 1000
    assert local(exact, max_bytes=999).reason == "too_large"


@pytest.mark.hazard("F10")
def test_compressed_answers_are_not_unpacked(local: Callable[..., Any]) -> None:
    """F10: compression is not offered; an answer compressed all the same is never expanded."""
    head = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 3\r\n\r\nabc"
    assert local(reply(head)).reason == "encoding"
    cut = local(reply(head), excess="cut")
    assert (cut.status, cut.body, cut.truncated) == (200, b"", True)


class Ticks:
    """A timer that moves by `step` seconds at every look."""

    def __init__(self, step: float) -> None:
        self.now = 0.0
        self.step = step

    def __call__(self) -> float:
        self.now += self.step
        return self.now


@pytest.mark.hazard("F10")
@pytest.mark.bite("tidegate_kit.outbound.network.Deadline.left", returns=2.0)
def test_slow_answers_are_capped_by_total_time(network: Network) -> None:
    """F10: a target that trickles headers or body ends at the call's whole time, however lively."""
    trickles = {
        "header": _endless(b"x-a: 1\r\n" * 50, b"HTTP/1.1 200 OK\r\n"),
        "informational": _endless(b"HTTP/1.1 100 Continue\r\n\r\n", b""),
        "body": _endless(b"x" * 400),
    }
    for name, answer in trickles.items():
        with serve(answer) as server:
            network.port = server.port
            client = OutboundClient(DEVELOPMENT, dial=network.dial, timer=Ticks(1.5))
            url = f"http://127.0.0.1:{server.port}/"
            result = outcome(client, url, allow_local=True, timeout=5, max_bytes=10**9)
            assert isinstance(result, OutboundFailed), name
            assert result.reason == "timeout", name


@pytest.mark.hazard("F10")
def test_silence_ends_the_call(network: Network) -> None:
    """F10: a target that accepts and says nothing is a timeout; header floods are failures."""
    listener = socket.create_server(("127.0.0.1", 0))
    network.port = listener.getsockname()[1]
    url = f"http://127.0.0.1:{network.port}/"
    result = outcome(network.client(DEVELOPMENT), url, allow_local=True, timeout=0.05)
    listener.close()
    assert isinstance(result, OutboundFailed)
    assert result.reason == "timeout"
    assert result.status == 503
    with serve(_endless(b"x-a: " + b"y" * 60000 + b"\r\n", b"HTTP/1.1 200 OK\r\n")) as server:
        network.port = server.port
        url = f"http://127.0.0.1:{server.port}/"
        flood = outcome(network.client(DEVELOPMENT), url, allow_local=True)
    assert isinstance(flood, OutboundFailed)
    assert flood.reason == "protocol"


@pytest.mark.parametrize(
    "raw",
    [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 999999 X\r\n\r\n",
     b"HTTP/1.1 200 OK\r\nbad header\r\n\r\n",
     b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nab",
     b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
     b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", b"SSH-2.0-x\r\n"],
)  # fmt: skip
def test_what_is_not_http_is_a_failure(local: Callable[..., Any], raw: bytes) -> None:
    result = local(reply(raw))
    assert isinstance(result, OutboundFailed)
    assert result.reason == "protocol"


def _unverified(self: Any, *args: Any, **options: Any) -> Any:
    context = ssl._create_unverified_context()  # noqa: S323 - the hole of the bite
    return network_module._Stream(context.wrap_socket(self._sock), self._deadline)


@pytest.mark.hazard("F11")
@pytest.mark.bite("tidegate_kit.outbound.network._Stream.start_tls", replacement=_unverified)
@pytest.mark.parametrize("fault", ["self-signed", "expired", "other-name", "other-address"])
def test_certificates_are_verified(
    authority: Authority, network: Network, tmp_path: Path, fault: str
) -> None:
    """F11: unknown issuer, expired, name mismatch: failure, no request sent, no fallback."""
    if fault == "self-signed":
        context = Authority(tmp_path).server_context(HOST)
    elif fault == "expired":
        context = authority.server_context(HOST, expired=True)
    else:
        context = authority.server_context("other.example.com" if fault == "other-name" else PUBLIC)
    with serve(OK, context) as server:
        network.port = server.port
        result = outcome(network.client(trust=authority.trust()), URL)
        assert isinstance(result, OutboundFailed)
        assert result.reason == "tls"
        assert server.requests == []
        assert len(network.dialled) == 1
        # The roots of the real world do not know this authority either.
        default = outcome(network.client(), URL)
        assert isinstance(default, OutboundFailed)
        assert default.reason == "tls"


@pytest.mark.hazard("F11")
def test_the_default_context_verifies(network: Network) -> None:
    """F11: certificate and host name are checked by default, from TLS 1.2 on."""
    from tidegate_kit.outbound.client import trusted_context

    context = trusted_context()
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert len(context.get_ca_certs()) > 50


def test_an_address_as_host_needs_it_in_the_certificate(
    authority: Authority, network: Network
) -> None:
    with serve(OK, authority.server_context(PUBLIC, "2606:4700::1111")) as server:
        network.port = server.port
        client = network.client(trust=authority.trust())
        assert client.request("GET", f"https://{PUBLIC}/").status == 200
        assert client.request("GET", "https://[2606:4700::1111]:8443/").status == 200
        assert b"host: [2606:4700::1111]:8443\r\n" in server.requests[1]
        assert isinstance(outcome(client, "https://1.1.1.1/"), OutboundFailed)
