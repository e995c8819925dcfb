"""condition: goes one of two ways (WF-3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tidegate.workflows.conditions import ConditionError, condition_problems, evaluate
from tidegate.workflows.nodes.base import Done, Handles, NodeData, NodeType
from tidegate.workflows.nodes.context import NodeContext
from tidegate.workflows.nodes.errors import StepError


class ConditionData(NodeData):
    """`condition`: a structured condition."""

    condition: dict[str, Any]


class ConditionNode(NodeType[ConditionData]):
    """Evaluates on the raw condition, because a presence test must see that a path is absent."""

    name = "condition"
    data_model = ConditionData
    lazy = frozenset({"condition"})

    def handles(self, data: Mapping[str, Any]) -> Handles:
        """Both branches must lead somewhere."""
        return Handles(routes=("true", "false"), required=("true", "false"), unnamed=None)

    def check(self, data: ConditionData) -> list[tuple[str, str]]:
        """The condition's shape."""
        return list(condition_problems(data.condition, "condition"))

    def sample(self, data: ConditionData) -> Done:
        """The first branch."""
        return Done({"result": True}, "true")

    def run(self, context: NodeContext[ConditionData]) -> Done:
        """{result} and the branch of that name."""
        try:
            result = evaluate(context.data.condition, context.renderer.render)
        except ConditionError as error:
            raise StepError(error.code, error.message) from error
        return Done({"result": result}, "true" if result else "false")
