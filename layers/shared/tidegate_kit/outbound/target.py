"""Our own reading of a URL, stricter than any parser behind it (F7, F8).

The host that this module returns is the one that is resolved, checked, dialled and named in TLS;
nothing downstream parses the URL again.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from tidegate_kit.outbound.address import Address, is_loopback, is_public, read_address
from tidegate_kit.outbound.errors import OutboundRefused
from tidegate_kit.outbound.policy import OutboundPolicy

MAX_URL_CHARS = 4096
# scheme "://" authority, then path and query of RFC 3986 characters. No fragment, no backslash,
# no control character, nothing outside ASCII, no userinfo.
_URL = re.compile(
    r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)((?:/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*)?)"
    r"((?:\?[A-Za-z0-9._~!$&'()*+,;=:@%/?|\[\]-]*)?)",
    re.ASCII,
)
_AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::([1-9][0-9]{0,4}))?", re.ASCII)
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?", re.ASCII)
_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
# A last label of digits or 0x... makes the whole host an address to some parsers (WHATWG URL).
_NUMERIC = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)
_INTERNAL = ("localhost", "local", "internal", "intranet", "lan", "home.arpa", "onion")
# Services that answer to text over TCP; the list extends the fetch standard's blocked ports.
_BLOCKED_PORTS = frozenset(
    {
        1433, 1521, 1719, 1720, 1723, 2049, 2181, 2375, 2376, 2379, 2380, 3306, 3389, 3659, 4045,
        4190, 5060, 5061, 5432, 5672, 5900, 5984, 6000, 6379, 6380, 6443, 6566, 6665, 6666, 6667,
        6668, 6669, 6679, 6697, 8086, 9042, 9092, 9200, 9300, 10080, 10250, 11211, 27017, 27018,
    }
)  # fmt: skip

Scheme = Literal["http", "https"]


@dataclass(frozen=True)
class Target:
    """Where a call goes. `path` is path and query as given; `local` allows loopback only."""

    scheme: Scheme
    host: str
    port: int
    path: str
    address: Address | None
    local: bool

    def may_dial(self, address: Address) -> bool:
        """True if the socket may go to that address."""
        return is_loopback(address) if self.local else is_public(address)


def parse_target(
    url: str,
    policy: OutboundPolicy,
    *,
    allow_local: bool = False,
    local_hosts: Collection[str] = (),
) -> Target:
    """Read a URL given by a user.

    allow_local: in development also http(s) on localhost or a loopback address.
    local_hosts: in development also these exact `host:port` on loopback.
    Raises OutboundRefused for everything that is not https to a public host in plain spelling.
    """
    scheme, authority, path = _split(url)
    host, port = _host_port(scheme, authority)
    address = _literal(host)
    bare = host.strip("[]")
    named = policy.development and f"{host}:{port}" in local_hosts
    loopback = bare == "localhost" or (address is not None and is_loopback(address))
    local = named or (policy.development and allow_local and loopback)
    target = Target(scheme, bare, port, path, address, local)
    if scheme != "https" and not local:
        raise OutboundRefused("must be an https address")
    _check_port(port, local=local)
    if address is None and not local:
        _check_name(bare)
    if address is not None and not target.may_dial(address):
        raise OutboundRefused("is not a public address")
    if not named:
        _check_own(target, policy, loopback=loopback)
    return target


def _split(url: str) -> tuple[Scheme, str, str]:
    if not isinstance(url, str) or not 1 <= len(url) <= MAX_URL_CHARS:
        raise OutboundRefused(f"must be a URL of at most {MAX_URL_CHARS} characters")
    found = _URL.fullmatch(url)
    if found is None or _BROKEN_ESCAPE.search(url):
        raise OutboundRefused("is not a plain absolute URL")
    scheme = found[1].lower()
    if scheme == "https":
        return "https", found[2], (found[3] or "/") + found[4]
    if scheme == "http":
        return "http", found[2], (found[3] or "/") + found[4]
    raise OutboundRefused("must be an https address")


def _host_port(scheme: Scheme, authority: str) -> tuple[str, int]:
    found = _AUTHORITY.fullmatch(authority)
    if found is None:
        raise OutboundRefused("has a host that is not plain (no user, zone or escape is accepted)")
    port = int(found[2]) if found[2] else (443 if scheme == "https" else 80)
    return found[1].lower(), port


def _literal(host: str) -> Address | None:
    if host.startswith("["):
        address = read_address(host[1:-1])
        if address is None or address.version != 6:
            raise OutboundRefused("has a host that is not an address")
        return address
    if _NUMERIC.fullmatch(host.rsplit(".", 1)[-1]) is None:
        return None
    # ipaddress takes four plain decimal octets only: no octal, hex or short forms.
    address = read_address(host)
    if address is None:
        raise OutboundRefused("has a host that is not an address")
    return address


def _check_port(port: int, *, local: bool) -> None:
    privileged = port < 1024 and port != 443 and not (local and port == 80)
    if port > 65535 or privileged or (port in _BLOCKED_PORTS and not local):
        raise OutboundRefused("names a port that is not allowed")


def _check_name(host: str) -> None:
    labels = host.split(".")
    if len(host) > 253 or len(labels) < 2 or not all(_LABEL.fullmatch(label) for label in labels):
        raise OutboundRefused("has a host that is not a public name")
    if any(host == name or host.endswith("." + name) for name in _INTERNAL):
        raise OutboundRefused("has a host that is not a public name")


def _check_own(target: Target, policy: OutboundPolicy, *, loopback: bool) -> None:
    for host, port in policy.own:
        own_loopback = host == "localhost" or (
            (literal := read_address(host.strip("[]"))) is not None and is_loopback(literal)
        )
        # On loopback the port tells services apart; a public host of ours is ours on every port.
        same = (loopback and port == target.port) if own_loopback else host == target.host
        if same:
            raise OutboundRefused("is an address of this platform")
