"""Requests and answers of contract 2.13."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, model_validator
from tidegate_kit.http import ApiModel, RequestModel, Text, Timestamp
from tidegate_kit.http.schema import NotNull

Content = Annotated[Text, StringConstraints(min_length=1, max_length=100_000)]
Short = Annotated[Text, StringConstraints(min_length=1, max_length=2000)]
Dollars = Annotated[
    str, StringConstraints(pattern=r"^(0|[1-9]\d{0,8})(\.\d{1,9})?$"), Field(examples=["25.00"])
]
Id = Annotated[
    str,
    StringConstraints(
        pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"
    ),
]
Provider = Literal["bedrock", "openai_compatible"]


class MessageBody(RequestModel):
    """One turn."""

    role: Literal["system", "user", "assistant"]
    content: Content


class InferBody(RequestModel):
    """POST /ai/infer: a prompt or messages."""

    prompt: Annotated[Content | None, NotNull] = None
    messages: Annotated[list[MessageBody] | None, NotNull, Field(min_length=1, max_length=50)] = (
        None
    )
    model: Annotated[Short | None, NotNull] = None
    system: Annotated[Content | None, NotNull] = None
    max_tokens: int = Field(default=1024, ge=1, le=8192)
    temperature: float = Field(default=0.2, ge=0, le=2, allow_inf_nan=False)
    output_schema: Annotated[dict[str, Any] | None, NotNull] = None
    task: Annotated[Short | None, NotNull] = None

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.prompt is None) == (self.messages is None):
            raise ValueError("give either prompt or messages")
        return self

    @model_validator(mode="after")
    def _ends_with_a_question(self) -> Self:
        turns = [one.role for one in self.messages or [] if one.role != "system"]
        if self.messages is not None and (not turns or turns[0] != "user" or turns[-1] != "user"):
            raise ValueError("messages begin and end with one of the user")
        return self


class UsageView(ApiModel):
    """Tokens."""

    input_tokens: int
    output_tokens: int
    total_tokens: int


class Inferred(ApiModel):
    """The model's answer; `json` is the validated value where a schema was given."""

    id: str
    model: str
    provider: Provider
    text: str
    json_value: Any | None = Field(alias="json", serialization_alias="json")
    usage: UsageView
    cost: float | None = Field(description="USD.")


class PredictBody(RequestModel):
    """POST /ai/predict: a model, or the production model of an experiment."""

    model_id: Annotated[Id | None, NotNull] = None
    experiment_id: Annotated[Id | None, NotNull] = None
    horizon: int = Field(default=14, ge=1, le=90)

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.model_id is None) == (self.experiment_id is None):
            raise ValueError("give either model_id or experiment_id")
        return self


class Predicted(ApiModel):
    """One day of a forecast with its intervals."""

    date: str
    mean: float
    lower_80: float
    upper_80: float
    lower_95: float
    upper_95: float


class PredictionView(ApiModel):
    """A stored forecast (contract 2.12)."""

    id: str
    model_id: str
    dataset_id: str
    predictions: list[Predicted]
    created_at: Timestamp


class ModelView(ApiModel):
    """A model at one provider."""

    name: str
    provider: Provider
    available: bool


class ModelList(ApiModel):
    """GET /ai/models: in the order in which providers are asked."""

    models: list[ModelView]


class UsageGroup(ApiModel):
    """Usage under one key."""

    key: str
    total_requests: int
    total_cost: float
    tokens_used: int


class UsageAnswer(ApiModel):
    """GET /ai/usage; costs in USD."""

    total_requests: int
    total_cost: float
    tokens_used: int
    average_cost_per_request: float | None
    groups: list[UsageGroup]


class BudgetBody(RequestModel):
    """PUT /ai/budgets: USD a month; null for no limit."""

    monthly_cost: Dollars | None
    per_user_monthly_cost: Dollars | None


class BudgetView(ApiModel):
    """Limits and what has become of them this month, in USD; `remaining` null without a limit."""

    monthly_cost: str | None
    per_user_monthly_cost: str | None
    used: str
    reserved: str
    remaining: str | None
    resets_at: Timestamp
