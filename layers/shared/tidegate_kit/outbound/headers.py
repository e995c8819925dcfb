"""Which request headers a user may set (F9, F13), and the hop counter (F12)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from tidegate_kit.outbound.errors import OutboundRefused

HOP_HEADER = "x-tidegate-hops"
MAX_HOPS = 4
_MAX_HEADERS = 50
_MAX_VALUE_CHARS = 4096
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}", re.ASCII)
_VALUE = re.compile(r"[\x20-\x7e\t]*", re.ASCII)
# Framing, hop-by-hop and routing headers are ours; credentials come only from declared secrets.
_REFUSED = frozenset(
    {
        "host", "cookie", "cookie2", "set-cookie", "content-length", "transfer-encoding",
        "connection", "keep-alive", "proxy-connection", "proxy-authenticate",
        "proxy-authorization", "te", "trailer", "upgrade", "expect", "http2-settings",
        "accept-encoding", "forwarded", "via", "x-real-ip", "x-http-method-override",
        "x-method-override", "x-original-url", "x-rewrite-url",
    }
)  # fmt: skip
_REFUSED_PREFIXES = ("x-forwarded-", "x-tidegate-", "proxy-", "sec-", "x-amzn-", "x-aws-ec2-")
_SECRET_ONLY = frozenset({"authorization"})


def request_headers(
    given: Mapping[str, str], secret: Mapping[str, str], user_agent: str, hops: int
) -> list[tuple[bytes, bytes]]:
    """Headers to send, Host and Content-Length excepted (made from target and body).

    given: set by a user; secret: made by the platform from a declared secret.
    Raises OutboundRefused for a refused or malformed header, or a call chain that is too long.
    """
    if hops >= MAX_HOPS:
        raise OutboundRefused("was reached through too many chained calls", "hops")
    if len(given) + len(secret) > _MAX_HEADERS:
        raise OutboundRefused(f"must be at most {_MAX_HEADERS}", "headers")
    for name in given:
        if name.lower() in _SECRET_ONLY:
            raise OutboundRefused("holds a credential; use a declared secret", "headers")
    result: dict[str, str] = {}
    for name, value in (*given.items(), *secret.items()):
        _check(name, value)
        if name.lower() in result:
            raise OutboundRefused("repeats a header", "headers")
        result[name.lower()] = value.strip()
    result.setdefault("user-agent", user_agent)
    # What comes back compressed could expand beyond every cap (F10).
    result["accept-encoding"] = "identity"
    result[HOP_HEADER] = str(hops + 1)
    return [(name.encode(), value.encode()) for name, value in result.items()]


def _check(name: str, value: str) -> None:
    if not isinstance(name, str) or _NAME.fullmatch(name) is None:
        raise OutboundRefused("holds a malformed header name", "headers")
    lower = name.lower()
    if lower in _REFUSED or lower.startswith(_REFUSED_PREFIXES):
        raise OutboundRefused("holds a header that only the platform may set", "headers")
    if (
        not isinstance(value, str)
        or len(value) > _MAX_VALUE_CHARS
        or _VALUE.fullmatch(value) is None
    ):
        raise OutboundRefused("holds a malformed header value", "headers")


def hops_of(headers: Mapping[str, str]) -> int:
    """How many of our outbound calls led to this inbound one; unreadable counts as the maximum."""
    text = next((value for name, value in headers.items() if name.lower() == HOP_HEADER), "0")
    return int(text) if re.fullmatch(r"[0-9]{1,2}", text, re.ASCII) else MAX_HOPS
