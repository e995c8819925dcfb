"""What is still to be erased, for the worker that does it. Knows nothing of HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from tidegate.identity.repository.erasures import Erasure, GlobalErasures

__all__ = ["Erasure", "begin_erasure", "erasures", "finish_erasure"]


def erasures() -> Iterator[Erasure]:
    """Removed users and tenants whose data is still to be erased."""
    return GlobalErasures().all()


def begin_erasure(tenant_id: str, by: str, now: datetime) -> None:
    """Switch a tenant off for good and ask for its erasure. Raises NotFound."""
    GlobalErasures().begin(tenant_id, by, now)


def finish_erasure(done: Erasure) -> None:
    """Nothing of it is left."""
    GlobalErasures().finish(done)
