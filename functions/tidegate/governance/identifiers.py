"""Ids that follow from what they name, so that a repeated call makes the same thing (H30)."""

from __future__ import annotations

import hashlib
import uuid


def id_from(*parts: str) -> str:
    """A UUID4-shaped id, the same for the same parts."""
    digest = hashlib.sha256("\n".join(parts).encode()).digest()
    return str(uuid.UUID(bytes=digest[:16], version=4))
