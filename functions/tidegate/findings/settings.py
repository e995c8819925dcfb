"""Settings of the functions of findings."""

from __future__ import annotations

from pydantic import Field
from tidegate_kit.settings import Settings

from tidegate.findings.plans.settings import PlanSettings


class EvaluationSettings(Settings):
    """What evaluating needs: where the inventories lie."""

    data_bucket: str = Field(min_length=3)


class FindingsSettings(EvaluationSettings):
    """What starts a refresh needs: the machine."""

    findings_refresh_machine_arn: str = Field(min_length=20)


class FindingsHttpSettings(FindingsSettings, PlanSettings):
    """What the routes need."""


class FindingsPlanSettings(PlanSettings):
    """What the functions of plans need; their code reads `plans.settings`."""
