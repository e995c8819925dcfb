"""The semantics of a workflow: pure rules, the reference interpreter, and dry runs."""

from tidegate.workflows.interpreter.flow import Decision, Flow, Settled, Status
from tidegate.workflows.interpreter.rehearsal import DryRun, dry_run
from tidegate.workflows.interpreter.rules import (
    loop_answer,
    merge_output,
    retry_delay,
    retry_policy,
    route_after,
    visible_nodes,
)
from tidegate.workflows.interpreter.simulate import interpret
from tidegate.workflows.interpreter.trace import Attempt, Run, Step, Visit

__all__ = [
    "Attempt",
    "Decision",
    "DryRun",
    "Flow",
    "Run",
    "Settled",
    "Status",
    "Step",
    "Visit",
    "dry_run",
    "interpret",
    "loop_answer",
    "merge_output",
    "retry_delay",
    "retry_policy",
    "route_after",
    "visible_nodes",
]
