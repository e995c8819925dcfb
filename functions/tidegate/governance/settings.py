"""Settings of the governance functions."""

from __future__ import annotations

from pydantic import Field
from tidegate_kit.settings import Settings


class TaskSettings(Settings):
    """GEN-5: what the expiry of approvals needs."""


class AuditSettings(TaskSettings):
    """Besides, the bucket that holds the copy of every audit log's end."""

    data_bucket: str = Field(min_length=3)


class GovernanceSettings(AuditSettings):
    """Besides, what deciding on a workflow's step needs: all that workflows' own settings require.

    Named here again, because other domains import this one, and workflows are among them.
    """

    workflow_machine_role_arn: str = Field(pattern=r"^arn:[a-z-]+:iam::\d{12}:role/")
    workflow_step_function_arn: str = Field(pattern=r"^arn:[a-z-]+:lambda:")
