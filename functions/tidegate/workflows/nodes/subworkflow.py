"""subworkflow: runs another workflow of the tenant."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import Field

from tidegate.workflows.nodes.base import Child, Done, Effect, NodeData, NodeType
from tidegate.workflows.nodes.context import NodeContext
from tidegate.workflows.nodes.fields import JsonMap, ShortText
from tidegate.workflows.nodes.ports import needed

MAX_DEPTH: Final = 5


class SubworkflowData(NodeData):
    """`workflow_id` is fixed at save, so that cycles are found then. No `version`: the current."""

    workflow_id: ShortText
    version: Annotated[int, Field(ge=1)] | None = None
    input: JsonMap
    wait: bool = True


class SubworkflowNode(NodeType[SubworkflowData]):
    """An effect. Waits for the child's end unless told otherwise."""

    name = "subworkflow"
    data_model = SubworkflowData
    secrets_allowed = False

    def effect(self, data: Mapping[str, Any]) -> Effect:
        """An execution starts."""
        return Effect.EFFECT

    def check(self, data: SubworkflowData) -> list[tuple[str, str]]:
        """The called workflow is known at save."""
        if "{{" in data.workflow_id:
            return [("workflow_id", "must not be a template")]
        return []

    def sample(self, data: SubworkflowData) -> Done:
        """A child that gave nothing."""
        return Done({"execution_id": "sample-execution-id", "output": {}})

    def summary(self, data: SubworkflowData) -> str:
        """Which workflow."""
        return f"run workflow {data.workflow_id[:64]}" + (" and wait" if data.wait else "")

    def run(self, context: NodeContext[SubworkflowData]) -> Child | Done:
        """The child to wait for, or [execution_id, output: {}] when it is only started."""
        data = context.data
        started = needed(context.ports.subworkflows, "subworkflows").start(
            data.workflow_id,
            data.version,
            data.input,
            wait=data.wait,
            effect_key=context.effect_key,
        )
        if data.wait:
            return Child(started.execution_id, started.machine_arn, started.name)
        return Done({"execution_id": started.execution_id, "output": {}})

    def finish(self, context: NodeContext[SubworkflowData], answer: Mapping[str, Any]) -> Done:
        """`answer`: {execution_id}. Gives [execution_id, output]."""
        execution_id = str(answer["execution_id"])
        output = needed(context.ports.subworkflows, "subworkflows").result(execution_id)
        return Done({"execution_id": execution_id, "output": output})
