"""Ids made from what they name, so that repetitions make the same one."""

from __future__ import annotations

import hashlib
import uuid


def id_from(text: str) -> str:
    """A UUID4-shaped id; as hard to guess as the text it is made from."""
    return str(uuid.UUID(bytes=hashlib.sha256(text.encode()).digest()[:16], version=4))
