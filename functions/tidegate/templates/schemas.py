"""Requests and answers of contract 2.6."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, model_validator
from tidegate_kit.http import ApiModel, PageFields, RequestModel, Text, Timestamp
from tidegate_kit.http.schema import NotNull

from tidegate.templates.domain import ParameterType
from tidegate.workflows.public.drafts import WorkflowModel

Name = Annotated[Text, StringConstraints(min_length=1, max_length=200)]
Description = Annotated[Text, StringConstraints(max_length=2000)]
Category = Annotated[Text, StringConstraints(min_length=1, max_length=50)]
ParameterName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}$")]
JsonMap = dict[str, Any]
_MAX_STORED = 100_000  # characters of parameters; with the rest they fit one item (D7)


class ParameterModel(RequestModel):
    """A declared parameter."""

    name: ParameterName
    description: Description = ""
    parameter_type: ParameterType
    is_required: bool = False
    default_value: Any = None


Parameters = Annotated[list[ParameterModel], Field(max_length=100)]


def check_parameters(parameters: list[ParameterModel]) -> None:
    """Raise ValueError for a repeated name or more text than an item holds."""
    names = [parameter.name for parameter in parameters]
    if len(set(names)) != len(names):
        raise ValueError("parameters repeat a name")
    if len(json.dumps([parameter.model_dump() for parameter in parameters])) > _MAX_STORED:
        raise ValueError("parameters hold more than 100,000 characters")


class TemplateCreate(RequestModel):
    """POST /templates."""

    name: Name
    description: Description = ""
    category: Category
    definition: JsonMap
    parameters: Parameters = []

    @model_validator(mode="after")
    def _check(self) -> TemplateCreate:
        check_parameters(self.parameters)
        return self


class TemplateChange(RequestModel):
    """PUT /templates/{template_id}: any key; what is not sent stays."""

    name: Annotated[Name | None, NotNull] = None
    description: Annotated[Description | None, NotNull] = None
    category: Annotated[Category | None, NotNull] = None
    definition: Annotated[JsonMap | None, NotNull] = None
    parameters: Annotated[Parameters | None, NotNull] = None
    is_active: Annotated[bool | None, NotNull] = None

    @model_validator(mode="after")
    def _check(self) -> TemplateChange:
        check_parameters(self.parameters or [])
        return self


class TemplateModel(ApiModel):
    """A template as created."""

    id: str
    name: str
    description: str
    category: str
    definition: JsonMap
    parameters: list[ParameterModel]
    is_active: bool
    created_at: Timestamp


class TemplateDetail(TemplateModel):
    """A template as read."""

    usage_count: int
    parameter_count: int
    scope: Literal["tenant", "platform"]


class TemplateRow(ApiModel):
    """A template in the list."""

    id: str
    name: str
    description: str
    category: str
    is_active: bool
    created_at: Timestamp
    usage_count: int
    parameter_count: int


class TemplateList(PageFields):
    """GET /templates."""

    templates: list[TemplateRow]


class Deleted(ApiModel):
    """Answer of a DELETE."""

    id: str
    deleted: Literal[True] = True


class Instantiate(RequestModel):
    """POST /templates/{template_id}/instantiate."""

    name: Name
    description: Description = ""
    parameter_values: JsonMap = {}


class WarningModel(ApiModel):
    """A remark on the new workflow."""

    code: str
    message: str
    path: str


class InstantiatedWorkflow(WorkflowModel):
    """The created workflow; `warnings` is always there."""

    warnings: list[WarningModel] = []  # type: ignore[assignment]
