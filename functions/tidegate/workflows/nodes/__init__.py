"""The registered node types, one module each. `NODE_TYPES` maps a type's name to its instance."""

from tidegate.workflows.nodes.base import (
    Child,
    Done,
    Effect,
    Handles,
    Loop,
    NodeData,
    NodeType,
    Outcome,
    Pending,
    Sleep,
)
from tidegate.workflows.nodes.context import NodeContext
from tidegate.workflows.nodes.errors import StepError
from tidegate.workflows.nodes.ports import Ports
from tidegate.workflows.nodes.registry import NODE_TYPES, node_type
from tidegate.workflows.nodes.runner import StepCall, finish_node, run_node

__all__ = [
    "NODE_TYPES",
    "Child",
    "Done",
    "Effect",
    "Handles",
    "Loop",
    "NodeContext",
    "NodeData",
    "NodeType",
    "Outcome",
    "Pending",
    "Ports",
    "Sleep",
    "StepCall",
    "StepError",
    "finish_node",
    "node_type",
    "run_node",
]
