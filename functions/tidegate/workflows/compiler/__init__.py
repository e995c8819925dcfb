"""Definitions to Step Functions machines (Amazon States Language, JSONata), and to pictures."""

from tidegate.workflows.compiler.compile import (
    Compiled,
    CompileError,
    CompileOptions,
    compile_definition,
)
from tidegate.workflows.compiler.diagram import mermaid, svg
from tidegate.workflows.compiler.estimate import MAX_EVENTS, Estimate
from tidegate.workflows.compiler.plan import Gate, Plan, route_token

__all__ = [
    "MAX_EVENTS",
    "CompileError",
    "CompileOptions",
    "Compiled",
    "Estimate",
    "Gate",
    "Plan",
    "compile_definition",
    "mermaid",
    "route_token",
    "svg",
]
