"""Errors of the monitoring domain."""

from __future__ import annotations

from tidegate_kit.errors import Detail, Forbidden, Unprocessable


class RangeUnusable(Unprocessable):
    """A time range that is empty, too long or too finely divided."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(details=[Detail(field, message)])


class PlatformScopeRefused(Forbidden):
    message = "Only an administrator may read the numbers of the whole platform."
