"""foreach: runs a nested definition once per item."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from tidegate.workflows.nodes.base import Done, Loop, NodeData, NodeType
from tidegate.workflows.nodes.context import NodeContext
from tidegate.workflows.nodes.errors import StepError
from tidegate.workflows.nodes.fields import OPEN

MAX_ITEMS: Final = 10_000


class ForeachData(NodeData):
    """`items`: a list or a template of one. The nested definition sees `item` and `index`.

    `timeout_seconds` bounds the calls that open and close the loop; the loop itself is bounded by
    its steps' and the workflow's time-outs.
    """

    items: Annotated[list[Any], Field(max_length=MAX_ITEMS), OPEN]
    definition: dict[str, Any]
    max_concurrency: Annotated[int, Field(ge=1, le=40)] = 10
    on_item_error: Literal["fail", "collect"] = "fail"


class ForeachNode(NodeType[ForeachData]):
    """What its nodes do outside counts for them, not for the loop."""

    name = "foreach"
    data_model = ForeachData
    secrets_allowed = False
    lazy = frozenset({"definition"})

    def sample(self, data: ForeachData) -> Done:
        """A loop over nothing."""
        return Done({"results": [], "errors": [], "count": 0})

    def summary(self, data: ForeachData) -> str:
        """How wide."""
        return f"for each item, {data.max_concurrency} at a time"

    def run(self, context: NodeContext[ForeachData]) -> Loop | Done:
        """The items; none completes at once."""
        items = context.data.items
        if len(items) > MAX_ITEMS:
            raise StepError("LIMIT_EXCEEDED", f"A foreach runs over at most {MAX_ITEMS} items.")
        return Loop(items) if items else self.sample(context.data)

    def finish(self, context: NodeContext[ForeachData], answer: Mapping[str, Any]) -> Done:
        """`answer`: {results, errors}; a failed item's result is null."""
        results, errors = list(answer["results"]), list(answer["errors"])
        return Done({"results": results, "errors": errors, "count": len(results)})
