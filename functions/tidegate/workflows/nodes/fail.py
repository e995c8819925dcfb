"""fail: ends the execution as failed, in the author's words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tidegate.workflows.nodes.base import Done, Handles, NodeData, NodeType
from tidegate.workflows.nodes.context import NodeContext
from tidegate.workflows.nodes.errors import StepError
from tidegate.workflows.nodes.fields import ShortText, Text


class FailData(NodeData):
    """`error`: a code of the author's own; `message`: for people."""

    error: ShortText
    message: Text


class FailNode(NodeType[FailData]):
    """Has no way out, so its failure is the execution's."""

    name = "fail"
    data_model = FailData
    secrets_allowed = False

    def handles(self, data: Mapping[str, Any]) -> Handles:
        """Nothing follows."""
        return Handles(routes=(), unnamed=None, error=False)

    def sample(self, data: FailData) -> Done:
        """A dry run fails as a run does."""
        raise StepError(data.error, data.message)

    def summary(self, data: FailData) -> str:
        """The author's code."""
        return f"fail with {data.error}"

    def run(self, context: NodeContext[FailData]) -> Done:
        """Raises StepError with the author's code and message."""
        raise StepError(context.data.error, context.data.message)
