"""The stage's throttle, as API Gateway applies it: a bucket of *burst* tokens, *rate* a second."""

from __future__ import annotations

import time
from collections.abc import Callable


class Throttle:
    """A token bucket; it adapts when a deploy changes the stage's settings."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._tokens: float | None = None
        self._filled = clock()

    def allows(self, rate: float, burst: float) -> bool:
        """Take a token; false when there is none. A rate of 0 means no throttle."""
        if rate <= 0:
            return True
        now = self._clock()
        tokens = burst if self._tokens is None else self._tokens + (now - self._filled) * rate
        self._filled = now
        self._tokens = min(tokens, burst)
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
