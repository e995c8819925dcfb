"""Checked TCP connections for protocols that are not HTTP, such as SMTP (F1 to F5, F8)."""

from __future__ import annotations

import socket
from collections.abc import Callable, Collection
from dataclasses import dataclass

from tidegate_kit.outbound.address import Address, read_address
from tidegate_kit.outbound.errors import OutboundFailed, OutboundRefused
from tidegate_kit.outbound.network import Dial, system_dial
from tidegate_kit.outbound.policy import OutboundPolicy
from tidegate_kit.outbound.resolver import Resolver, system_resolver
from tidegate_kit.outbound.target import parse_target


@dataclass(frozen=True)
class OpenSocket:
    """A connected socket. `local`: it ends on this machine, which only development may do."""

    sock: socket.socket
    local: bool


def checked_socket(
    host: str,
    port: int,
    policy: OutboundPolicy,
    *,
    ports: Collection[int],
    timeout: float,
    resolver: Resolver = system_resolver,
    dial: Dial = system_dial,
) -> OpenSocket:
    """Connect to a host given by a user: the address that is dialled is the one that was checked.

    ports: those allowed on public hosts; in development any on loopback. timeout: seconds.
    Raises OutboundRefused before a socket is opened, OutboundFailed when nobody answers.
    """
    target = parse_target(f"https://{host}", policy, allow_local=True)
    own = (target.host, port) in policy.own
    if own or (port not in ports and not target.local):
        raise OutboundRefused("names a port that is not allowed", "port")
    addresses = _addresses(target.address, target.host, port, resolver)
    checked = [address for address in addresses if address and target.may_dial(address)]
    if len(checked) != len(addresses):
        raise OutboundRefused("resolves to an address that is not public", "host")
    failure: OSError | None = None
    for address in checked:
        try:
            return OpenSocket(dial((str(address), port), timeout), target.local)
        except OSError as error:
            failure = error
    raise OutboundFailed("connect", log=repr(failure)) from failure


def _addresses(
    literal: Address | None, host: str, port: int, resolver: Resolver
) -> list[Address | None]:
    if literal is not None:
        return [literal]
    try:
        texts = resolver(host, port)
    except (OSError, UnicodeError) as error:
        raise OutboundFailed("resolve", log=repr(error)) from error
    if not texts:
        raise OutboundFailed("resolve", log="the name has no address")
    return [read_address(text) for text in texts]


SocketOpener = Callable[[str, int, float], OpenSocket]


def socket_opener(policy: OutboundPolicy, ports: Collection[int]) -> SocketOpener:
    """`checked_socket` for one kind of server: takes host, port and time-out in seconds."""
    return lambda host, port, timeout: checked_socket(
        host, port, policy, ports=ports, timeout=timeout
    )
