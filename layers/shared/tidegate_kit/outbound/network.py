"""Sockets that go only to checked addresses and stop at one deadline (F5, F10, F11)."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import httpcore

from tidegate_kit.outbound.address import Address

Timer = Callable[[], float]
Dial = Callable[[tuple[str, int], float], socket.socket]


class TlsError(httpcore.ConnectError):
    """No trusted connection: certificate, host name or protocol."""


def system_dial(address: tuple[str, int], timeout: float) -> socket.socket:
    """Connect to a literal address."""
    return socket.create_connection(address, timeout)


class Deadline:
    """Seconds left of a call's whole time, however many reads it takes."""

    def __init__(self, seconds: float, timer: Timer) -> None:
        self._timer = timer
        self._end = timer() + seconds

    def left(self) -> float:
        """Seconds left. Raises httpcore.ReadTimeout when none are."""
        left = self._end - self._timer()
        if left <= 0:
            raise httpcore.ReadTimeout("the call's time is over")
        return left


class _Stream(httpcore.NetworkStream):
    """A socket whose every operation ends at the deadline."""

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._sock = sock
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        self._sock.settimeout(self._deadline.left())
        try:
            return self._sock.recv(max_bytes)
        except TimeoutError as error:
            raise httpcore.ReadTimeout(str(error)) from error
        except OSError as error:
            raise httpcore.ReadError(str(error)) from error

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        view = memoryview(buffer)
        while view:
            self._sock.settimeout(self._deadline.left())
            try:
                view = view[self._sock.send(view) :]
            except TimeoutError as error:
                raise httpcore.WriteTimeout(str(error)) from error
            except OSError as error:
                raise httpcore.WriteError(str(error)) from error

    def close(self) -> None:
        self._sock.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        try:
            self._sock.settimeout(self._deadline.left())
            wrapped = ssl_context.wrap_socket(self._sock, server_hostname=server_hostname)
        except TimeoutError as error:
            self.close()
            raise httpcore.ConnectTimeout(str(error)) from error
        except (OSError, ValueError) as error:
            self.close()
            raise TlsError(str(error)) from error
        return _Stream(wrapped, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        if info == "ssl_object" and isinstance(self._sock, ssl.SSLSocket):
            return self._sock
        return None


class PinnedBackend(httpcore.NetworkBackend):
    """Dials the given addresses for one host and port, and nothing else."""

    def __init__(
        self,
        host: str,
        port: int,
        addresses: Sequence[Address],
        deadline: Deadline,
        dial: Dial = system_dial,
    ) -> None:
        self._pinned = (host, port)
        self._addresses = addresses
        self._deadline = deadline
        self._dial = dial

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        if (host, port) != self._pinned:
            raise httpcore.ConnectError("not the checked host")
        failure: OSError | None = None
        for address in self._addresses:
            try:
                sock = self._dial((str(address), port), self._deadline.left())
            except OSError as error:
                failure = error
                continue
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return _Stream(sock, self._deadline)
        if isinstance(failure, TimeoutError):
            raise httpcore.ConnectTimeout(str(failure)) from failure
        raise httpcore.ConnectError(str(failure)) from failure

    def connect_unix_socket(self, path: str, *args: Any, **kwargs: Any) -> httpcore.NetworkStream:
        raise httpcore.ConnectError("no unix sockets")
