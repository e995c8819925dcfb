"""ai: asks a language model under the tenant's budget."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from tidegate.workflows.nodes.base import Done, Effect, NodeData, NodeType
from tidegate.workflows.nodes.context import NodeContext
from tidegate.workflows.nodes.fields import OPEN, LongText, ShortText
from tidegate.workflows.nodes.input_schema import schema_problems
from tidegate.workflows.nodes.ports import AiRequest, needed


class AiData(NodeData):
    """As the body of /ai/infer."""

    prompt: LongText
    system: LongText | None = None
    model: ShortText | None = None
    max_tokens: Annotated[int, Field(ge=1, le=8192), OPEN] | None = None
    temperature: Annotated[float, Field(ge=0, le=2, allow_inf_nan=False), OPEN] | None = None
    output_schema: dict[str, Any] | None = None


class AiNode(NodeType[AiData]):
    """An effect, because it costs money."""

    name = "ai"
    data_model = AiData
    lazy = frozenset({"output_schema"})

    def effect(self, data: Mapping[str, Any]) -> Effect:
        """Money is spent."""
        return Effect.EFFECT

    def check(self, data: AiData) -> list[tuple[str, str]]:
        """The schema's own mistakes."""
        if data.output_schema is None:
            return []
        return list(schema_problems(data.output_schema, "output_schema"))

    def sample(self, data: AiData) -> Done:
        """An answer without content."""
        usage = {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}
        output = {"text": "", "model": data.model or "sample", "usage": usage, "cost": 0}
        return Done({**output, "json": {}} if data.output_schema is not None else output)

    def summary(self, data: AiData) -> str:
        """Which model."""
        return f"ask {data.model or 'the default model'}"

    def run(self, context: NodeContext[AiData]) -> Done:
        """[text, json?, model, usage, cost]."""
        data = context.data
        request = AiRequest(
            prompt=data.prompt,
            system=data.system,
            model=data.model,
            max_tokens=data.max_tokens,
            temperature=data.temperature,
            output_schema=data.output_schema,
        )
        answer = needed(context.ports.ai, "language model").infer(
            request, effect_key=context.effect_key
        )
        output: dict[str, Any] = {
            "text": answer.text,
            "model": answer.model,
            "usage": answer.usage,
            "cost": answer.cost,
        }
        if answer.json is not None:
            output["json"] = answer.json
        return Done(output)
