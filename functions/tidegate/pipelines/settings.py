"""Settings of the functions of pipelines."""

from __future__ import annotations

from pydantic import Field
from tidegate_kit.settings import Settings


class PipelinesSettings(Settings):
    """GEN-5, the machines that are started, and the bucket of uploaded cost files."""

    data_bucket: str = Field(min_length=3)
    pipeline_machine_arn: str = Field(pattern=r"^arn:[a-z-]+:states:")
    discovery_machine_arn: str = Field(pattern=r"^arn:[a-z-]+:states:")
