"""One lock around moto's dispatch.

moto is not atomic under threads: with eight of them, "first conditional put wins" has
several winners in up to a quarter of the rounds.  Serialising the dispatch gives each API
call the atomicity that the real service has.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

from moto.core.botocore_stubber import BotocoreStubber

LOCK = threading.RLock()


def _runs_user_code(url: str) -> bool:
    # A Lambda invocation runs a handler, which may use threads of its own: holding the lock
    # meanwhile would stop them for ever.  Each of its AWS calls takes the lock itself.
    return "/invocations" in url


@contextlib.contextmanager
def locked_dispatch() -> Iterator[None]:
    """Serialises every request that moto answers, as long as the context lasts."""
    dispatch = BotocoreStubber.__call__

    def locked(self: BotocoreStubber, event_name: str, request: Any, **kwargs: Any) -> Any:
        if not self.enabled or _runs_user_code(request.url):
            return dispatch(self, event_name, request, **kwargs)
        with LOCK:
            return dispatch(self, event_name, request, **kwargs)

    with patch.object(BotocoreStubber, "__call__", locked):
        yield
