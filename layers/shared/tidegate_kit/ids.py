"""Identifiers and random tokens. Injected as callables so that tests can fix them."""

from __future__ import annotations

import hashlib
import re
import secrets
import uuid
from collections.abc import Callable

IdFactory = Callable[[], str]

_UUID4 = re.compile(r"^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")


def new_id() -> str:
    """A lower-case UUID4 (GEN-10): 122 random bits, so no neighbour can be guessed (B11)."""
    return str(uuid.uuid4())


def is_id(text: str) -> bool:
    """True for the one accepted spelling of an id (GEN-10); others in a path are 404."""
    return _UUID4.fullmatch(text) is not None


def new_secret(octets: int = 32) -> str:
    """URL-safe random text with `octets` bytes of entropy."""
    return secrets.token_urlsafe(octets)


def id_from(text: str) -> str:
    """An id made from what it names, so that repetitions make the same one.

    UUID4-shaped; as hard to guess as the text.
    """
    return str(uuid.UUID(bytes=hashlib.sha256(text.encode()).digest()[:16], version=4))
