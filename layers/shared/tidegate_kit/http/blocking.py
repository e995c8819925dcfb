"""Where plain functions run: inline on Lambda, in a thread under a local ASGI server.

A Lambda environment serves one request at a time, so a thread hop there only costs time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from fastapi.concurrency import run_in_threadpool
from fastapi.dependencies import utils

R = TypeVar("R")
_inline = False


def run_inline(inline: bool) -> None:
    """Decided once at cold start by lambda_app."""
    global _inline
    _inline = inline
    # FastAPI hands plain dependencies to its own thread pool; on Lambda they run here as well.
    vars(utils)["run_in_threadpool"] = run_blocking if inline else run_in_threadpool


def is_inline() -> bool:
    """True where plain functions run inline."""
    return _inline


async def run_blocking(function: Callable[..., R], /, *args: Any, **kwargs: Any) -> R:
    """Call a plain function without blocking another request."""
    if _inline:
        return function(*args, **kwargs)
    return await run_in_threadpool(function, *args, **kwargs)
