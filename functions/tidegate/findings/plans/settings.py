"""Settings of the functions of plans."""

from __future__ import annotations

from pydantic import Field
from tidegate_kit.settings import Settings


class PlanSettings(Settings):
    """GEN-5, and the machine that carries plans out."""

    plan_machine_arn: str = Field(min_length=20)
