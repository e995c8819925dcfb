"""end: an exit; may declare what the execution answers (WF-8)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tidegate.workflows.nodes.base import Done, Handles, NodeData, NodeType
from tidegate.workflows.nodes.context import NodeContext
from tidegate.workflows.nodes.fields import JsonMap


class EndData(NodeData):
    """`output`: a map of templates."""

    output: JsonMap | None = None


class EndNode(NodeType[EndData]):
    """Its output is merged into the execution's."""

    name = "end"
    data_model = EndData

    def handles(self, data: Mapping[str, Any]) -> Handles:
        """Nothing follows an end."""
        return Handles(routes=(), unnamed=None, error=False)

    def sample(self, data: EndData) -> Done:
        """The declared output."""
        return Done(data.output or {})

    def run(self, context: NodeContext[EndData]) -> Done:
        """The declared output, filled."""
        return Done(context.data.output or {})
