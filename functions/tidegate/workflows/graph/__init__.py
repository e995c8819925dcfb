"""The parsed, immutable workflow definition and the linear-time algorithms over it."""

from tidegate.workflows.graph.definition import (
    Definition,
    StepId,
    load_definition,
    parse_step_id,
)
from tidegate.workflows.graph.issues import Issue, IssueLog
from tidegate.workflows.graph.model import (
    ERROR,
    NEXT,
    SKIPPED,
    Edge,
    Graph,
    Limits,
    Node,
)
from tidegate.workflows.graph.parse import Parsed, parse_definition

__all__ = [
    "ERROR",
    "NEXT",
    "SKIPPED",
    "Definition",
    "Edge",
    "Graph",
    "Issue",
    "IssueLog",
    "Limits",
    "Node",
    "Parsed",
    "StepId",
    "load_definition",
    "parse_definition",
    "parse_step_id",
]
