"""start: the entry; its input_schema checks and completes the input."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tidegate.workflows.nodes.base import Done, Handles, NodeData, NodeType
from tidegate.workflows.nodes.context import NodeContext
from tidegate.workflows.nodes.input_schema import schema_problems


class StartData(NodeData):
    """`input_schema`: a JSON Schema object, see input_schema.py for the supported words."""

    input_schema: dict[str, Any] | None = None


class StartNode(NodeType[StartData]):
    """Completes at once; the input itself is `input` in templates."""

    name = "start"
    data_model = StartData
    lazy = frozenset({"input_schema"})

    def handles(self, data: Mapping[str, Any]) -> Handles:
        """One way out, and nothing to fail."""
        return Handles(error=False)

    def check(self, data: StartData) -> list[tuple[str, str]]:
        """The schema's own mistakes."""
        if data.input_schema is None:
            return []
        return list(schema_problems(data.input_schema, "input_schema", top=True))

    def sample(self, data: StartData) -> Done:
        """Nothing to show."""
        return Done()

    def run(self, context: NodeContext[StartData]) -> Done:
        """Completes."""
        return Done()
