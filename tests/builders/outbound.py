"""What the tests of calls to addresses of users share: a network that records what is dialled."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Sequence
from typing import Any

from tidegate_kit.outbound import (
    OutboundAnswer,
    OutboundClient,
    OutboundFailed,
    OutboundPolicy,
    OutboundRefused,
)

PUBLIC = "93.184.215.14"
HOST = "hooks.example.com"
URL = f"https://{HOST}/in"
PRODUCTION = OutboundPolicy(development=False, own=frozenset({("api.tidegate.example", 443)}))
DEVELOPMENT = OutboundPolicy(development=True, own=frozenset({("127.0.0.1", 8000)}))


class Network:
    """Names and sockets of a test: every dialled address is recorded, none leaves loopback."""

    def __init__(self, port: int = 1) -> None:
        self.port = port
        self.names: dict[str, Sequence[str]] = {HOST: [PUBLIC]}
        self.dialled: list[tuple[str, int]] = []

    def resolve(self, host: str, port: int) -> Sequence[str]:
        if host not in self.names:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return self.names[host]

    def dial(self, address: tuple[str, int], timeout: float) -> socket.socket:
        self.dialled.append(address)
        return socket.create_connection(("127.0.0.1", self.port), timeout)

    def client(
        self, policy: OutboundPolicy = PRODUCTION, trust: ssl.SSLContext | None = None
    ) -> OutboundClient:
        return OutboundClient(policy, resolver=self.resolve, dial=self.dial, ssl_context=trust)


def outcome(client: OutboundClient, url: str, **options: Any) -> OutboundAnswer | Exception:
    try:
        return client.request(options.pop("method", "GET"), url, **options)
    except (OutboundRefused, OutboundFailed) as error:
        return error


def assert_refused(network: Network, url: str, **options: Any) -> None:
    """Refused, with 422, before a socket was opened, without quoting the input."""
    policy = options.pop("policy", PRODUCTION)
    result = outcome(network.client(policy), url, **options)
    assert isinstance(result, OutboundRefused), (url, result)
    assert result.status == 422
    assert network.dialled == [], url
    assert all(not url or url not in detail.message for detail in result.details)
