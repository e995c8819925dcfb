"""Settings of what appends to audit logs; apart from the routes' own, which know workflows."""

from __future__ import annotations

from pydantic import Field
from tidegate_kit.settings import Settings


class AuditSettings(Settings):
    """The bucket that holds the copies of every log's end."""

    data_bucket: str = Field(min_length=1)
