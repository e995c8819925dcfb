"""Outbound calls to addresses given by users: which are made at all (F1 to F13, F20, INT-7)."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterator, Sequence
from ipaddress import IPv4Address, ip_address
from typing import Any

import pytest
from tidegate_kit.outbound import (
    HOP_HEADER,
    MAX_HOPS,
    OutboundAnswer,
    OutboundClient,
    OutboundFailed,
    OutboundPolicy,
    OutboundRefused,
    hops_of,
    is_public,
    parse_target,
)
from tidegate_kit.outbound import network as network_module
from tidegate_kit.settings import Settings

from tests.builders.outbound import (
    DEVELOPMENT,
    HOST,
    PRODUCTION,
    PUBLIC,
    URL,
    Network,
    assert_refused,
    outcome,
)
from tests.builders.settings import settings
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


def spellings(text: str) -> list[str]:
    """Ways to write an IPv4 address in a URL."""
    number = int(IPv4Address(text))
    a, b, c, d = (int(part) for part in text.split("."))
    circled = "".join("⓪①②③④⑤⑥⑦⑧⑨"[int(x)] if x.isdigit() else x for x in text)
    wide = "".join(chr(0xFEE0 + ord(x)) for x in text)
    high, low = f"{a:02x}{b:02x}", f"{c:02x}{d:02x}"
    return [
        text, str(number), hex(number), oct(number).replace("0o", "0"), f"0{oct(number)[2:]}",
        f"{a:#x}.{b:#x}.{c:#x}.{d:#x}", f"0{a:o}.0{b:o}.0{c:o}.0{d:o}",
        f"000{a:o}.000{b:o}.{c}.{d}", f"{a}.{b}.{c * 256 + d}", f"{a}.{b * 65536 + c * 256 + d}",
        f"{a:#x}.{b}.0{c:o}.{d}", f"0x{number:08X}", f"0x00{number:08x}", circled, wide,
        text.replace(".", "。"), text.replace(".", "．"), text.replace(".", "｡"),
        text.replace(".", "%2e"), f"{text}.", f"{text}%00", f"{a}.{b}.{c}.{d + 256}",
        f"[::ffff:{text}]", f"[::ffff:{high}:{low}]", f"[::{text}]", f"[64:ff9b::{text}]",
        f"[64:ff9b:1::{high}:{low}]", f"[2002:{high}:{low}::1]", f"[::ffff:0:{text}]",
        f"[2001:0:{high}:{low}::]", f"[2606:4700::5efe:{text}]",
        f"[fe80::{high}:{low}%25eth0]", f"[{text}]", f"{text}:443:80", f" {text}", f"{text} ",
    ]  # fmt: skip


METADATA = ["169.254.169.254", "169.254.170.2", "100.100.100.200", "168.63.129.16", "192.0.0.192"]


@pytest.mark.hazard("F1")
@pytest.mark.bite("tidegate_kit.outbound.target.is_public", returns=True)
def test_metadata_services_are_unreachable_in_every_spelling(network: Network) -> None:
    """F1: metadata addresses in 36 spellings each, and on IPv6: 422 and no socket."""
    hosts = [host for address in METADATA for host in spellings(address)]
    hosts += ["[fd00:ec2::254]", "[fd20:ce::254]", "metadata", "metadata.google.internal",
              "instance-data", "instance-data.ec2.internal"]  # fmt: skip
    assert len(hosts) >= 120
    for host in hosts:
        assert_refused(network, f"https://{host}/latest/meta-data/")


@pytest.mark.hazard("F1")
def test_spellings_of_local_addresses_open_no_socket(network: Network) -> None:
    """F1: the same spellings of loopback and private addresses: 422 and no socket."""
    for address in _words("127.0.0.1 0.0.0.0 10.1.2.3 172.16.9.9 192.168.1.1 127.1.1.1"):
        for host in spellings(address):
            assert_refused(network, f"https://{host}/")
            assert_refused(network, f"https://{host}/", policy=DEVELOPMENT)


def _words(text: str) -> list[str]:
    return text.split()


REFUSED_ADDRESSES = _words(
    """
    0.0.0.0 0.255.255.255 10.0.0.0 10.255.255.255 100.64.0.0 100.64.0.1 100.127.255.255
    127.0.0.1 127.255.255.255 169.254.0.1 172.16.0.1 172.31.255.255 192.0.0.1 192.0.0.192
    192.0.2.1 192.88.99.1 192.168.255.255 198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.1
    224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255 :: ::1 ::2 fe80::1 febf::1 fec0::1
    fc00::1 fdff::1 ff02::1 ff0e::1 100::1 100:0:0:1::1 2001:db8::1 3fff::1 3fff:fff::1 5f00::1
    2001:2::1 2001:10::1 2001:20::1 2620:4f:8000::1 3ffe::1 4000::1 e000::1 1::1 200::1
    """
)

EMBEDDING = _words(
    """
    64:ff9b::a9fe:a9fe 64:ff9b::8.8.8.8 64:ff9b:1::a9fe:a9fe 64:ff9b:1::808:808
    2002:a9fe:a9fe:: 2002:808:808::1 2001:0:a9fe:a9fe:: 2001::1 ::ffff:127.0.0.1 ::ffff:8.8.8.8
    ::127.0.0.1 ::8.8.8.8 ::ffff:0:127.0.0.1 ::ffff:0:8.8.8.8 2606:4700::5efe:a00:1
    2606:4700::200:5efe:a00:1
    """
)

ALLOWED_ADDRESSES = _words(
    """
    1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.1
    172.15.255.255 172.32.0.0 192.167.255.255 192.169.0.0 198.17.255.255 198.20.0.0
    223.255.255.255 93.184.215.14 2606:4700::1111 2001:4860:4860::8888 2a00:1450:4001::1
    2400:cb00::1 2600:1f18::1
    """
)


def _by_library(address: Any) -> bool:
    return bool(address.is_global)


@pytest.mark.hazard("F2")
@pytest.mark.bite("tidegate_kit.outbound.target.is_public", replacement=_by_library)
def test_only_global_unicast_is_dialled(network: Network) -> None:
    """F2: loopback, private, CGNAT, link-local, multicast, reserved, documentation: refused."""
    for address in REFUSED_ADDRESSES:
        literal = f"[{address}]" if ":" in address else address
        assert_refused(network, f"https://{literal}/")
        network.names["rebound.example"] = [address]
        assert_refused(network, "https://rebound.example/")
        assert_refused(network, f"https://{literal}/", policy=DEVELOPMENT)
    for address in ALLOWED_ADDRESSES:
        assert is_public(ip_address(address)), address


@pytest.mark.hazard("F3")
@pytest.mark.bite("tidegate_kit.outbound.target.is_public", replacement=_by_library)
def test_an_address_that_embeds_another_is_refused(network: Network) -> None:
    """F3: NAT64 (both prefixes), 6to4, Teredo, mapped, compatible, ISATAP, whatever they embed."""
    for address in EMBEDDING:
        assert_refused(network, f"https://[{address}]/")
        network.names["rebound.example"] = [address]
        assert_refused(network, "https://rebound.example/")


@pytest.mark.hazard("F4")
@pytest.mark.bite(
    "tidegate_kit.outbound.target.Target.may_dial", returns=True, cases=["answers0", "answers2"]
)
@pytest.mark.parametrize(
    "answers",
    [["10.0.0.1"], ["::1"], [PUBLIC, "10.0.0.1"], ["127.0.0.1", PUBLIC], [PUBLIC, "fd00::1"],
     [PUBLIC, "fe80::1%eth0"], [PUBLIC, "2606:4700::1%1"], [PUBLIC, "not an address"]],
)  # fmt: skip
def test_one_private_answer_refuses_the_name(network: Network, answers: list[str]) -> None:
    """F4: a name with any answer that is not public is refused as a whole."""
    network.names[HOST] = answers
    assert_refused(network, URL)


def _resolve_again(self: Any, host: str, port: int, **options: Any) -> Any:
    return network_module._Stream(self._dial((host, port), 5.0), self._deadline)


@pytest.mark.hazard("F5")
@pytest.mark.bite(
    "tidegate_kit.outbound.network.PinnedBackend.connect_tcp", replacement=_resolve_again
)
def test_the_socket_goes_to_the_address_that_was_checked(
    authority: Authority, network: Network, target: Server
) -> None:
    """F5: a resolver that turns private after the check changes nothing: one look-up a call."""
    turns = iter([[PUBLIC], ["127.0.0.1"], [PUBLIC, "8.8.4.4"]])
    asked: list[str] = []

    def resolver(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return next(turns)

    client = OutboundClient(
        PRODUCTION, resolver=resolver, dial=network.dial, ssl_context=authority.trust()
    )
    assert client.request("GET", URL).status == 200
    assert asked == [HOST]
    assert network.dialled == [(PUBLIC, 443)]
    assert target.names == [HOST]
    assert isinstance(outcome(client, URL), OutboundRefused)
    assert network.dialled == [(PUBLIC, 443)]


@pytest.mark.hazard("F7")
@pytest.mark.bite(
    "tidegate_kit.outbound.target._split",
    replacement=lambda url: ("https", url.partition("://")[2].partition("/")[0] or HOST, "/"),
)
def test_only_https_is_spoken(network: Network) -> None:
    """F7: other schemes, http where https is required, and no scheme are 422."""
    for scheme in ("file", "gopher", "ftp", "dict", "ldap", "ws", "wss", "http", "HTTP", "httpss",
                   "jar:https", "view-source:https", "h\ttps", "https+unix"):  # fmt: skip
        assert_refused(network, f"{scheme}://{HOST}/")
    for url in ("data:text/plain,x", "javascript:alert(1)", "file:///etc/passwd", HOST, f"//{HOST}",
                "", "https:", "https://", "https:///path", f"https:/{HOST}", f"https:{HOST}",
                f"https:\\\\{HOST}", f" {URL}", f"{URL} ", f"\n{URL}", f"url:{URL}"):  # fmt: skip
        assert_refused(network, url)
    for policy in (PRODUCTION, DEVELOPMENT):
        assert_refused(network, "http://localhost:9/", policy=policy)
    assert_refused(network, "http://localhost:9/", policy=PRODUCTION, allow_local=True)
    assert_refused(network, "http://localhost:9/", policy=PRODUCTION, local_hosts={"localhost:9"})


@pytest.mark.hazard("F8")
@pytest.mark.bite(
    "tidegate_kit.outbound.target._host_port",
    replacement=lambda scheme, authority: (authority.rpartition("@")[2].partition(":")[0], 443),
    cases=["user@", ":22", ":6379"],
)
@pytest.mark.parametrize(
    "authority",
    [f"user@{HOST}", f"user:pass@{HOST}", f"@{HOST}", f"127.0.0.1@{HOST}", f"{HOST}@127.0.0.1",
     f"{HOST}%40evil.example", f"{HOST}:0", f"{HOST}:22", f"{HOST}:25", f"{HOST}:6379",
     f"{HOST}:80", f"{HOST}:65536", f"{HOST}:99999", f"{HOST}:0443", f"{HOST}:", f"{HOST}:+443",
     f"{HOST}:４４３", f"{HOST}:443:443", f"{HOST}:3306", f"{HOST}:9200", f"{HOST}:11211"],
)  # fmt: skip
def test_userinfo_and_ports_are_refused(network: Network, authority: str) -> None:
    """F8: userinfo, port 0, 22, 25, 6379 and the like are 422."""
    assert_refused(network, f"https://{authority}/")


@pytest.mark.hazard("F8")
def test_hosts_that_parsers_read_differently_are_refused(network: Network) -> None:
    r"""F8: `\@`, `#@`, control characters, IDN tricks, trailing dot and zone ids are 422."""
    network.names.update({name: [PUBLIC] for name in ("evil.example", f"{HOST}.")})
    for url in (
        f"https://evil.example\\@{HOST}/", f"https://evil.example#@{HOST}/", f"https://{HOST}#x",
        f"https://{HOST}\\.evil.example/", f"https://{HOST}\t.evil.example/",
        f"https://{HOST}\n/", f"https://{HOST}\r\n/", f"https://{HOST}\x00/", f"https://{HOST} /",
        f"https://{HOST}./", f"https://.{HOST}/", "https://a..example.com/", "https://-a.example/",
        "https://a-.example/", f"https://{HOST}%2f/", f"https://{HOST}%00/", "https://%65vil.com/",
        "https://hooks。example。com/", "https://ｈooks.example.com/", "https://hooks.example.cⓞm/",
        "https://exämple.com/", "https://ex\u00adample.com/", "https://exam\u200bple.com/",
        "https://faß.example/", "https://ⅷ.example/", "https://\u212a.example/",
        "https://[fe80::1%25eth0]/", "https://[::1%lo]/", "https://[::1", "https://::1/",
        "https://[::1]x/", "https://[[::1]]/", "https://[v1.x]/", "https://[]/",
        f"https://{'a' * 64}.example/", "https://" + "a." * 127 + "example/", "https://localhost/",
        "https://x.localhost/", "https://printer.local/", "https://intranet/", "https://com/",
        "https://host.internal/", "https://1.2.3/", "https://example.123/", "https://example.0x1/",
        f"https://{HOST}/%", f"https://{HOST}/%zz", f"https://{HOST}/a b", f"https://{HOST}/ä",
        f"https://{HOST}/<x>", f'https://{HOST}/"', f"https://{HOST}/{{x}}",
        f"https://{HOST}/" + "x" * 5000,
    ):  # fmt: skip
        assert_refused(network, url)


@pytest.mark.hazard("F8")
def test_the_host_read_is_the_host_dialled_and_named(
    authority: Authority, network: Network, target: Server
) -> None:
    """F8: resolver, SNI, certificate and Host header get one host; the path is untouched."""
    path = "/a%2F..%2Fb/../c;d=1?x=%7C&y=[1]&url=http://127.0.0.1/@a"
    client = network.client(trust=authority.trust())
    answer = client.request("PUT", f"HTTPS://Hooks.Example.COM:443{path}", body=b"{}")
    assert (answer.status, answer.body, answer.headers["x-seen"]) == (200, b"ok", "1")
    head = target.requests[0].decode()
    assert head.startswith(f"PUT {path} HTTP/1.1\r\n")
    assert head.lower().count("host:") == 1
    assert f"host: {HOST}\r\n" in head
    assert head.endswith("\r\n\r\n{}")
    assert target.names == [HOST]


@pytest.fixture
def local(network: Network) -> Callable[..., Any]:
    """Call a local http server that answers with the given function; the answer or error."""

    def call(answer: Callable[[Any], None], **options: Any) -> OutboundAnswer | Exception:
        with serve(answer) as server:
            network.port = server.port
            url = f"http://127.0.0.1:{server.port}/"
            return outcome(network.client(DEVELOPMENT), url, allow_local=True, **options)

    return call


@pytest.mark.hazard("F12")
@pytest.mark.bite("tidegate_kit.outbound.target._check_own", returns=None)
def test_our_own_addresses_are_no_targets(network: Network) -> None:
    """F12: the API and WebSocket hosts of the settings are refused, in any case and port."""
    policy = OutboundPolicy.of(
        settings(
            Settings,
            tidegate_env="production",
            public_base_url="https://api.tidegate.example",
            ws_url="wss://ws.tidegate.example/socket",
        )
    )
    network.names.update({"api.tidegate.example": [PUBLIC], "ws.tidegate.example": [PUBLIC]})
    for url in ("https://api.tidegate.example/api/hooks/x", "https://API.tidegate.example:8443/",
                "https://ws.tidegate.example/"):  # fmt: skip
        assert_refused(network, url, policy=policy)
    for host in ("localhost", "127.0.0.1", "[::1]"):
        assert_refused(
            network, f"http://{host}:8000/api/hooks/x", policy=DEVELOPMENT, allow_local=True
        )


@pytest.mark.hazard("F12")
@pytest.mark.bite("tidegate_kit.outbound.headers.MAX_HOPS", replacement=10**6)
def test_a_chain_of_calls_ends(authority: Authority, network: Network, target: Server) -> None:
    """F12: each call carries one hop more than the call that caused it; the chain is cut."""
    client = network.client(trust=authority.trust())
    client.request("GET", URL, hops=2)
    assert f"{HOP_HEADER}: 3\r\n".encode() in target.requests[0]
    assert hops_of({"X-Tidegate-Hops": "3"}) == 3
    assert hops_of({}) == 0
    for text in ("-1", "999", "x", "", "١"):
        assert hops_of({HOP_HEADER: text}) == MAX_HOPS
    assert_refused(Network(), URL, hops=4)


def test_development_may_call_localhost_when_the_caller_says_so(network: Network) -> None:
    with serve() as server:
        network.port = server.port
        network.names["localhost"] = ["127.0.0.1", "::1"]
        client = network.client(DEVELOPMENT)
        for host in ("localhost", "127.0.0.1", "[::1]"):
            url = f"http://{host}:{server.port}/"
            assert client.request("GET", url, allow_local=True).status == 200
            assert_refused(Network(), url, policy=DEVELOPMENT)
            assert_refused(Network(), url, allow_local=True)
        network.names["localhost"] = ["127.0.0.1", PUBLIC]
        rebound = outcome(client, f"http://localhost:{server.port}/", allow_local=True)
        assert isinstance(rebound, OutboundRefused)


def test_a_named_local_host_is_matched_with_its_port(network: Network) -> None:
    hosts = re.compile(r"[a-z-]+\.s3\.amazonaws\.com")
    with serve() as server:
        network.port = server.port
        named = {f"127.0.0.1:{server.port}"}
        client = network.client(DEVELOPMENT)
        url = f"http://127.0.0.1:{server.port}/x?Signature=a%3D"
        answer = client.request("PUT", url, body=b"{}", allow_hosts=hosts, local_hosts=named)
        assert answer.status == 200
    for other in (
        "http://127.0.0.1:1/",
        f"http://localhost:{server.port}/",
        "https://s3.evil.example/",
    ):
        refused = outcome(client, other, allow_hosts=hosts, local_hosts=named)
        assert isinstance(refused, OutboundRefused), other
    assert_refused(Network(), url, local_hosts=named)


@pytest.mark.hazard("G34")
@pytest.mark.bite("tidegate_kit.outbound.client.OutboundClient._target",
                  replacement=lambda self, url, *rest: parse_target(url, PRODUCTION))  # fmt: skip
def test_a_pattern_bounds_the_hosts(network: Network) -> None:
    """G34: with an allow pattern only a host that matches as a whole is called."""
    hosts = re.compile(r"cloudformation-custom-resource-response-[a-z0-9]+\.s3\.amazonaws\.com")
    good = "cloudformation-custom-resource-response-useast1.s3.amazonaws.com"
    for host in (
        f"{good}.evil.example", f"evil-{good}", f"{good}:8443.evil.example", "evil.example",
        "s3.amazonaws.com", good.replace(".s3.", ".s3x."), f"x.{good}", f"{good}.",
    ):  # fmt: skip
        network.names[host] = [PUBLIC]
        assert_refused(network, f"https://{host}/?{good}", allow_hosts=hosts)
    network.names[good] = [PUBLIC]
    assert isinstance(
        outcome(network.client(), f"https://{good}/", allow_hosts=hosts), OutboundFailed
    )
    assert network.dialled == [(PUBLIC, 443)]


def test_an_address_is_checked_when_it_is_stored(network: Network) -> None:
    client = network.client()
    client.check(URL)
    client.check("https://not-yet-known.example/")
    network.names["inside.example"] = ["10.0.0.1"]
    for url in ("https://inside.example/", "http://hooks.example.com/", "https://10.0.0.1/"):
        with pytest.raises(OutboundRefused):
            client.check(url)
    assert network.dialled == []


@pytest.mark.hazard("F20")
@pytest.mark.bite("tidegate_kit.outbound.client._accept", replacement=lambda answer, excess: answer)
def test_an_answer_is_bounded_and_not_printed(local: Callable[..., Any]) -> None:
    """F20: body capped, one value a header, and neither shows in a representation."""
    head = b"HTTP/1.1 200 OK\r\nset-cookie: s3cret\r\nX-A: 1\r\nx-a: 2\r\n"
    raw = head + b"content-length: 4\r\n\r\nbody"
    answer = local(reply(raw), max_bytes=4)
    assert answer.headers["x-a"] == "2"
    assert "s3cret" not in repr(answer)
    assert "body" not in repr(answer)
    assert isinstance(local(reply(raw), max_bytes=3), OutboundFailed)


def test_proxies_of_the_environment_are_not_used(
    authority: Authority, network: Network, target: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere")
    assert network.client(trust=authority.trust()).request("GET", URL).status == 200
    assert network.dialled == [(PUBLIC, 443)]


def test_the_next_address_is_tried_when_one_does_not_answer(
    authority: Authority, network: Network, target: Server
) -> None:
    network.names[HOST] = ["8.8.4.4", PUBLIC]
    tried: list[str] = []

    def dial(address: tuple[str, int], timeout: float) -> socket.socket:
        tried.append(address[0])
        if address[0] == "8.8.4.4":
            raise ConnectionRefusedError
        return network.dial(address, timeout)

    client = OutboundClient(
        PRODUCTION, resolver=network.resolve, dial=dial, ssl_context=authority.trust()
    )
    assert client.request("GET", URL).status == 200
    assert tried == ["8.8.4.4", PUBLIC]
    network.names[HOST] = ["8.8.4.4"]
    result = outcome(client, URL)
    assert isinstance(result, OutboundFailed)
    assert result.reason == "connect"
