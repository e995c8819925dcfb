"""One outbound call: parse, resolve, check, dial what was checked, read within caps."""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Literal

import certifi
import httpcore

from tidegate_kit.outbound.address import Address, read_address
from tidegate_kit.outbound.errors import OutboundFailed, OutboundRefused
from tidegate_kit.outbound.headers import request_headers
from tidegate_kit.outbound.network import (
    Deadline,
    Dial,
    PinnedBackend,
    Timer,
    TlsError,
    system_dial,
)
from tidegate_kit.outbound.policy import OutboundPolicy
from tidegate_kit.outbound.resolver import Resolver, system_resolver
from tidegate_kit.outbound.target import Target, parse_target

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
MAX_BODY_BYTES = 1024 * 1024
MAX_SECONDS = 60.0


@dataclass(frozen=True)
class OutboundAnswer:
    """What the target said. Header names are lower case; a repeated one keeps its last value."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    truncated: bool = False


@cache
def trusted_context() -> ssl.SSLContext:
    """Certificates verified against the bundled roots, host names checked, TLS 1.2 or newer."""
    context = ssl.create_default_context(cafile=certifi.where())
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


class OutboundClient:
    """Calls addresses given by users. One per process; keeps no connection between calls."""

    def __init__(
        self,
        policy: OutboundPolicy,
        *,
        resolver: Resolver = system_resolver,
        timer: Timer = time.monotonic,
        ssl_context: ssl.SSLContext | None = None,
        dial: Dial = system_dial,
    ) -> None:
        self._policy = policy
        self._resolver = resolver
        self._timer = timer
        self._ssl_context = ssl_context
        self._dial = dial

    def check(
        self, url: str, *, allow_local: bool = False, allow_hosts: re.Pattern[str] | None = None
    ) -> None:
        """Refuse an address when it is stored, not only when it is called.

        Raises OutboundRefused. A name that does not resolve just now passes: each call checks.
        """
        target = self._target(url, allow_hosts, allow_local, ())
        try:
            self._addresses(target)
        except OutboundFailed:
            return

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        secret_headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        timeout: float = 10.0,
        max_bytes: int = 64 * 1024,
        excess: Literal["fail", "cut"] = "fail",
        allow_hosts: re.Pattern[str] | None = None,
        allow_local: bool = False,
        local_hosts: Collection[str] = (),
        hops: int = 0,
    ) -> OutboundAnswer:
        """Make one call; never follows a redirect, never retries.

        headers: set by a user; secret_headers: from a declared secret (may hold Authorization).
        timeout: seconds for the whole call; max_bytes: cap of the answer's body, beyond which the
        call fails (or the body is cut and `truncated` set). allow_hosts: pattern that the whole
        host must match. allow_local, local_hosts: see `parse_target`; hops: see `hops_of`.
        Raises OutboundRefused before anything is sent, OutboundFailed after.
        """
        if method not in _METHODS:
            raise OutboundRefused("is not an allowed method", "method")
        if len(body) > MAX_BODY_BYTES:
            raise OutboundRefused(f"must be at most {MAX_BODY_BYTES} bytes", "body")
        target = self._target(url, allow_hosts, allow_local, local_hosts)
        sent = request_headers(headers or {}, secret_headers or {}, self._policy.user_agent, hops)
        deadline = Deadline(min(timeout, MAX_SECONDS), self._timer)
        addresses = self._addresses(target)
        backend = PinnedBackend(target.host, target.port, addresses, deadline, self._dial)
        try:
            answer = self._call(backend, method, target, sent, body, max_bytes)
        except httpcore.TimeoutException as error:
            raise OutboundFailed("timeout", log=repr(error)) from error
        except TlsError as error:
            raise OutboundFailed("tls", log=repr(error)) from error
        except httpcore.ConnectError as error:
            raise OutboundFailed("connect", log=repr(error)) from error
        except (httpcore.NetworkError, httpcore.ProtocolError) as error:
            raise OutboundFailed("protocol", log=repr(error)) from error
        return _accept(answer, excess)

    def _target(
        self,
        url: str,
        allow_hosts: re.Pattern[str] | None,
        allow_local: bool,
        local_hosts: Collection[str],
    ) -> Target:
        target = parse_target(url, self._policy, allow_local=allow_local, local_hosts=local_hosts)
        if allow_hosts is not None and not target.local and not allow_hosts.fullmatch(target.host):
            raise OutboundRefused("has a host that is not allowed here")
        return target

    def _addresses(self, target: Target) -> list[Address]:
        if target.address is not None:
            return [target.address]
        try:
            texts = self._resolver(target.host, target.port)
        except (OSError, UnicodeError) as error:
            raise OutboundFailed("resolve", log=repr(error)) from error
        addresses = [read_address(text) for text in texts]
        if not addresses:
            raise OutboundFailed("resolve", log="the name has no address")
        checked = [address for address in addresses if address and target.may_dial(address)]
        # One private answer among public ones is an attack or a mistake; both end here (F4).
        if len(checked) != len(addresses):
            raise OutboundRefused("resolves to an address that is not public")
        return checked

    def _call(
        self,
        backend: PinnedBackend,
        method: str,
        target: Target,
        headers: list[tuple[bytes, bytes]],
        body: bytes,
        max_bytes: int,
    ) -> OutboundAnswer:
        url = httpcore.URL(
            scheme=target.scheme, host=target.host, port=target.port, target=target.path
        )
        host = f"[{target.host}]" if ":" in target.host else target.host
        usual = target.port == (443 if target.scheme == "https" else 80)
        headers = [(b"host", (host if usual else f"{host}:{target.port}").encode()), *headers]
        content = body if body or method in {"POST", "PUT", "PATCH"} else None
        context = self._ssl_context or trusted_context()
        with (
            httpcore.ConnectionPool(
                ssl_context=context, network_backend=backend, max_connections=1
            ) as pool,
            pool.stream(method, url, headers=headers, content=content) as response,
        ):
            chunks: list[bytes] = []
            size = 0
            for chunk in response.iter_stream():
                chunks.append(chunk)
                size += len(chunk)
                if size > max_bytes:
                    break
            names = {name.decode("latin-1").lower(): value.decode("latin-1")
                     for name, value in response.headers}  # fmt: skip
        data = b"".join(chunks)
        return OutboundAnswer(response.status, names, data[:max_bytes], len(data) > max_bytes)


def _accept(answer: OutboundAnswer, excess: str) -> OutboundAnswer:
    if answer.status in _REDIRECTS:
        raise OutboundFailed("redirect", status=answer.status)
    if answer.truncated and excess == "fail":
        raise OutboundFailed("too_large", status=answer.status)
    if answer.headers.get("content-encoding", "identity").lower() == "identity":
        return answer
    # Not asked for, and never unpacked: it could expand beyond every cap (F10).
    if excess == "fail":
        raise OutboundFailed("encoding", status=answer.status)
    return replace(answer, body=b"", truncated=True)
