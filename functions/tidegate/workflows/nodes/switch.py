"""switch: the first case that equals the value, else `default`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from tidegate_kit.json_values import equal

from tidegate.workflows.graph import ERROR
from tidegate.workflows.nodes.base import Done, Handles, NodeData, NodeType
from tidegate.workflows.nodes.context import NodeContext
from tidegate.workflows.nodes.fields import ShortText

DEFAULT = "default"
_RESERVED = frozenset({DEFAULT, ERROR})


class Case(BaseModel):
    """One case: its handle's name and the value it stands for."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True, defer_build=True)

    name: ShortText
    equals: Any


class SwitchData(NodeData):
    """`cases` are tried in order."""

    value: Any
    cases: Annotated[list[Case], Field(min_length=1, max_length=50)]


class SwitchNode(NodeType[SwitchData]):
    """Compares as the condition operator eq does."""

    name = "switch"
    data_model = SwitchData

    def handles(self, data: Mapping[str, Any]) -> Handles:
        """The case names, in order, and default; each must lead somewhere."""
        cases = data.get("cases")
        names = [
            case["name"]
            for case in (cases if isinstance(cases, list) else [])
            if isinstance(case, Mapping) and isinstance(case.get("name"), str)
        ]
        routes = (*dict.fromkeys(names), DEFAULT)
        return Handles(routes=routes, required=routes, unnamed=None)

    def check(self, data: SwitchData) -> list[tuple[str, str]]:
        """Case names are handles, so they are unique and not taken."""
        problems: list[tuple[str, str]] = []
        seen: set[str] = set()
        for position, case in enumerate(data.cases):
            if case.name in seen or case.name in _RESERVED:
                problems.append((f"cases[{position}].name", "must be unique and not reserved"))
            seen.add(case.name)
        return problems

    def sample(self, data: SwitchData) -> Done:
        """The first case."""
        return Done({}, data.cases[0].name)

    def run(self, context: NodeContext[SwitchData]) -> Done:
        """The branch of the first equal case."""
        for case in context.data.cases:
            if equal(context.data.value, case.equals):
                return Done({}, case.name)
        return Done({}, DEFAULT)
