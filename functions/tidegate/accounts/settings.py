"""Settings of the accounts function."""

from __future__ import annotations

from pydantic import Field
from tidegate_kit.settings import Settings


class AccountsSettings(Settings):
    """GEN-5, and the bucket whose snapshots a disconnect deletes."""

    data_bucket: str = Field(min_length=3)
