"""The table of node types. A new type is one module and one line here."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from tidegate.workflows.nodes.ai import AiNode
from tidegate.workflows.nodes.approval import ApprovalNode
from tidegate.workflows.nodes.aws_action import AwsActionNode
from tidegate.workflows.nodes.base import NodeType
from tidegate.workflows.nodes.calendar_event import CalendarEventNode
from tidegate.workflows.nodes.condition import ConditionNode
from tidegate.workflows.nodes.delay import DelayNode
from tidegate.workflows.nodes.email import EmailNode
from tidegate.workflows.nodes.end import EndNode
from tidegate.workflows.nodes.fail import FailNode
from tidegate.workflows.nodes.foreach import ForeachNode
from tidegate.workflows.nodes.http import HttpNode
from tidegate.workflows.nodes.message import MessageNode
from tidegate.workflows.nodes.notify import NotifyNode
from tidegate.workflows.nodes.start import StartNode
from tidegate.workflows.nodes.subworkflow import SubworkflowNode
from tidegate.workflows.nodes.switch import SwitchNode
from tidegate.workflows.nodes.transform import TransformNode

_ALL: Final[tuple[NodeType[Any], ...]] = (
    StartNode(),
    EndNode(),
    ConditionNode(),
    SwitchNode(),
    DelayNode(),
    EmailNode(),
    HttpNode(),
    AiNode(),
    ApprovalNode(),
    NotifyNode(),
    MessageNode(),
    CalendarEventNode(),
    TransformNode(),
    ForeachNode(),
    SubworkflowNode(),
    AwsActionNode(),
    FailNode(),
)

NODE_TYPES: Final[Mapping[str, NodeType[Any]]] = MappingProxyType(
    {kind.name: kind for kind in _ALL}
)


def node_type(name: str) -> NodeType[Any]:
    """The registered type of that name. Raises KeyError."""
    return NODE_TYPES[name]
