"""Settings of the workflows functions."""

from __future__ import annotations

from pydantic import Field
from tidegate_kit.settings import Settings


class WorkflowsSettings(Settings):
    """GEN-5 and the bucket of large data."""

    data_bucket: str = Field(min_length=3)
