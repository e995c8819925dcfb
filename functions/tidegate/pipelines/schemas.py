"""Requests and answers of contract 2.14."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, StringConstraints
from tidegate_kit.http import ApiModel, PageFields, RequestModel, Text, Timestamp
from tidegate_kit.http.schema import NotNull

from tidegate.pipelines.executions import PipelineName, StageStatus, Status, Trigger

Expression = Annotated[Text, StringConstraints(min_length=1, max_length=256)]
Dollars = Annotated[
    str, StringConstraints(pattern=r"^(0|[1-9]\d{0,8})(\.\d{1,9})?$"), Field(examples=["5.00"])
]


class RunBody(RequestModel):
    """POST /pipelines/{name}/run.

    cost-ingest: account_ids, start, end (dates), focus_file; inventory-scan: account_ids;
    savings-ledger: day.
    """

    parameters: dict[str, Any] = Field(default_factory=dict, max_length=20)


class Started(ApiModel):
    """A started execution."""

    execution_id: str
    pipeline: PipelineName
    status: Status
    started_at: Timestamp


class ScheduleBody(RequestModel):
    """PUT /pipelines/{name}/schedule: cron(...) or rate(...), UTC, at most hourly."""

    expression: Annotated[Expression | None, NotNull] = None
    enabled: Annotated[bool | None, NotNull] = None


class ScheduleView(ApiModel):
    """When a pipeline starts by itself."""

    expression: str
    enabled: bool


class ProblemView(ApiModel):
    """Why something was left out."""

    code: str
    message: str


class StageView(ApiModel):
    """One stage: what it worked through, and what it left out."""

    name: str
    status: StageStatus
    started_at: Timestamp | None
    completed_at: Timestamp | None
    items: int
    errors: list[ProblemView]


class ExecutionView(ApiModel):
    """One execution; `duration` in seconds."""

    id: str
    pipeline: PipelineName
    status: Status
    trigger: Trigger
    parameters: dict[str, Any]
    stages: list[StageView]
    started_at: Timestamp
    completed_at: Timestamp | None
    duration: float | None


class PipelineView(ApiModel):
    """One pipeline."""

    name: PipelineName
    schedule: ScheduleView
    last_execution: ExecutionView | None


class PipelineList(PageFields):
    """GET /pipelines."""

    pipelines: list[PipelineView]


class ExecutionList(PageFields):
    """GET /pipelines/{name}/executions."""

    executions: list[ExecutionView]


class BudgetBody(RequestModel):
    """PUT /pipelines/budget: USD a month for paid AWS calls."""

    aws_api_monthly: Dollars


class BudgetView(ApiModel):
    """The limit and what has become of it this month, in USD."""

    aws_api_monthly: str
    used: str
    reserved: str
    remaining: str
    resets_at: Timestamp
