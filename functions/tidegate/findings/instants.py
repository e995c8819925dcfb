"""Times in requests."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_INSTANT = re.compile(
    r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:\d{2})", re.ASCII
)


def read_instant(value: object) -> datetime:
    """ISO 8601 with offset or Z, in UTC. Raises ValueError for anything else."""
    if value is None:
        raise ValueError("may be left out, but not null")
    if isinstance(value, str) and _INSTANT.fullmatch(value):
        try:
            return datetime.fromisoformat(value).astimezone(UTC)
        except (ValueError, OverflowError):
            pass
    raise ValueError("must be a date and time with offset or Z (ISO 8601)")
