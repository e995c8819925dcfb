"""Bodies of dry runs (contract 2.5)."""

from __future__ import annotations

from typing import Annotated

from pydantic import model_validator
from tidegate_kit.http import ApiModel, RequestModel
from tidegate_kit.http.schema import NotNull

from tidegate.workflows.domain import ExecutionStatus
from tidegate.workflows.schemas import JsonMap, StepModel


class Mock(RequestModel):
    """What a node gives in a dry run: its output, or its error {code, message}."""

    output: Annotated[JsonMap | None, NotNull] = None
    error: Annotated[JsonMap | None, NotNull] = None

    @model_validator(mode="after")
    def _one(self) -> Mock:
        if (self.output is None) == (self.error is None):
            raise ValueError("give either output or error")
        return self


class DryRunRequest(RequestModel):
    """POST /workflows/{id}/dry-run."""

    input_data: JsonMap = {}
    definition: Annotated[JsonMap | None, NotNull] = None
    mocks: Annotated[dict[str, Mock] | None, NotNull] = None


class WouldCall(ApiModel):
    """What a node would do outside."""

    node_id: str
    type: str
    summary: str


class DryRunResult(ApiModel):
    """A rehearsal."""

    status: ExecutionStatus
    steps: list[StepModel]
    output_data: JsonMap | None
    would_call: list[WouldCall]
    warnings: list[str]
