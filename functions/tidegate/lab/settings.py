"""Settings of the lab's functions."""

from __future__ import annotations

from pydantic import Field
from tidegate_kit.settings import Settings


class LabSettings(Settings):
    """What the HTTP function needs."""


class LabFollowSettings(Settings):
    """What the follower of the table's stream needs: the machine that trains."""

    lab_training_machine_arn: str = Field(pattern=r"^arn:[a-z-]+:states:")
