"""Structured conditions (WF-3): declared operators with typed operands, no expression language."""

from tidegate.workflows.conditions.operators import ConditionError, evaluate
from tidegate.workflows.conditions.schema import (
    MAX_DEPTH,
    MAX_TERMS,
    OPERATORS,
    condition_problems,
    tested_operands,
)

__all__ = [
    "MAX_DEPTH",
    "MAX_TERMS",
    "OPERATORS",
    "ConditionError",
    "condition_problems",
    "evaluate",
    "tested_operands",
]
