"""Settings of the workflows functions."""

from __future__ import annotations

from pydantic import Field, field_validator
from tidegate_kit.settings import Settings


class WorkflowDataSettings(Settings):
    """What a function needs that reads or creates workflows and runs none."""

    data_bucket: str = Field(min_length=3)


class WorkflowsSettings(WorkflowDataSettings):
    """GEN-5, the bucket of large data, and who runs and serves state machines."""

    workflow_machine_role_arn: str = Field(pattern=r"^arn:[a-z-]+:iam::\d{12}:role/")
    workflow_step_function_arn: str = Field(pattern=r"^arn:[a-z-]+:lambda:")
    mail_from: str | None = None

    @field_validator("mail_from")
    @classmethod
    def _no_sender(cls, value: str | None) -> str | None:
        return value or None

    @property
    def partition(self) -> str:
        """The AWS partition."""
        return self.workflow_machine_role_arn.split(":")[1]

    @property
    def machine_arn_prefix(self) -> str:
        """ARN of a state machine of the platform's account, up to its name."""
        account = self.workflow_machine_role_arn.split(":")[4]
        return f"arn:{self.partition}:states:{self.aws_region}:{account}:stateMachine:"

    @property
    def machine_name_prefix(self) -> str:
        """Name of a workflow's state machine, up to the workflow's id."""
        return f"tidegate-{self.tidegate_stage}-wf-"


class TriggerSettings(WorkflowsSettings):
    """What a function needs that keeps schedules, besides."""

    workflow_schedule_group: str = Field(min_length=1)
    workflow_schedule_function_arn: str = Field(pattern=r"^arn:[a-z-]+:lambda:")
    workflow_schedule_role_arn: str = Field(pattern=r"^arn:[a-z-]+:iam::\d{12}:role/")
