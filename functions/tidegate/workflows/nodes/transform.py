"""transform: a map of templates, filled."""

from __future__ import annotations

from tidegate.workflows.nodes.base import Done, NodeData, NodeType
from tidegate.workflows.nodes.context import NodeContext
from tidegate.workflows.nodes.fields import JsonMap


class TransformData(NodeData):
    """`output`: a map of templates."""

    output: JsonMap


class TransformNode(NodeType[TransformData]):
    """Its output is the map."""

    name = "transform"
    data_model = TransformData

    def sample(self, data: TransformData) -> Done:
        """The map."""
        return Done(data.output)

    def run(self, context: NodeContext[TransformData]) -> Done:
        """The filled map."""
        return Done(context.data.output)
