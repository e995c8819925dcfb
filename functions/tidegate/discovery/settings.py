"""Settings of the functions that run or start discoveries."""

from __future__ import annotations

from typing import Protocol

from pydantic import Field
from tidegate_kit.settings import Settings


class DiscoverySettings(Settings):
    """What the discovery function and the deleting callers need."""

    data_bucket: str = Field(min_length=3)


class StarterSettings(Protocol):
    """What a caller of `start` has in its own settings (DISCOVERY_MACHINE_ARN)."""

    @property
    def aws_region(self) -> str:
        """The platform's region."""

    @property
    def discovery_machine_arn(self) -> str:
        """The discovery state machine."""
