"""Settings of the functions of findings."""

from __future__ import annotations

from pydantic import Field
from tidegate_kit.settings import Settings


class EvaluationSettings(Settings):
    """What evaluating needs: where the inventories lie."""

    data_bucket: str = Field(min_length=3)


class FindingsSettings(EvaluationSettings):
    """What the routes and the consumer of events need: the machine that refreshes."""

    findings_refresh_machine_arn: str = Field(min_length=20)
