"""Opaque tokens that carry their own look-up key: refresh, reset and invitation tokens (AUTH-8).

Bytes: kind (1), ids as UUID bytes (16 each), secret (32); as base64url. Only the SHA-256 of the
text is stored. The kind byte and the length keep the kinds apart (A11).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID

from tidegate_kit.auth.tokens import b64url_decode, b64url_encode

Kind = Literal["refresh", "reset", "invitation"]
_KINDS: dict[Kind, tuple[bytes, int]] = {
    "refresh": (b"\x01", 3),  # tenant, user, session
    "reset": (b"\x02", 2),  # tenant, user
    "invitation": (b"\x03", 2),  # tenant, invitation
}
_SECRET_BYTES = 32


@dataclass(frozen=True)
class Opaque:
    """A parsed token: where to look, and what to compare."""

    ids: tuple[str, ...]
    digest: str = field(repr=False)


def mint(kind: Kind, ids: tuple[str, ...], secret: bytes) -> str:
    """The text of a new token. `secret` is 32 random bytes."""
    mark, count = _KINDS[kind]
    if len(ids) != count or len(secret) != _SECRET_BYTES:
        raise ValueError("wrong parts of a token")
    return b64url_encode(mark + b"".join(UUID(one).bytes for one in ids) + secret)


def parse(kind: Kind, text: str) -> Opaque | None:
    """The token, or None for anything that is not one of this kind."""
    mark, count = _KINDS[kind]
    size = 1 + 16 * count + _SECRET_BYTES
    if len(text) != -(-size * 4 // 3):
        return None
    try:
        raw = b64url_decode(text)
    except ValueError:
        return None
    if raw[:1] != mark:
        return None
    ids = tuple(str(UUID(bytes=raw[1 + 16 * i : 17 + 16 * i])) for i in range(count))
    return Opaque(ids, digest(text))


def digest(text: str) -> str:
    """What is stored of a token."""
    return hashlib.sha256(text.encode()).hexdigest()
