"""compile_definition: a valid definition to one state machine. Pure and deterministic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tidegate.workflows.compiler import states
from tidegate.workflows.compiler.blocks import Block, decompose
from tidegate.workflows.compiler.emit import Emitter
from tidegate.workflows.compiler.estimate import (
    EVENT_RESERVE,
    MAX_EVENTS,
    Estimate,
    estimate_states,
)
from tidegate.workflows.compiler.levels import Counter, Scope
from tidegate.workflows.compiler.loops import Loops
from tidegate.workflows.compiler.plan import Plan
from tidegate.workflows.graph import Definition
from tidegate.workflows.graph.algorithms import levels, transitive_reduction
from tidegate.workflows.interpreter.flow import Flow

FINISH = ".finish"


class CompileError(ValueError):
    """The definition cannot become one machine."""


@dataclass(frozen=True, slots=True)
class CompileOptions:
    """`function_arn` may be a placeholder; `timeout_seconds` bounds the whole execution."""

    function_arn: str = "${StepFunctionArn}"
    partition: str = "aws"
    timeout_seconds: int = 86_400
    max_events: int = MAX_EVENTS


@dataclass(frozen=True, slots=True)
class Compiled:
    """`machine` is the ASL document; `plan` goes with the version for the step Lambda."""

    machine: dict[str, Any]
    plan: Plan
    estimate: Estimate


def compile_definition(definition: Definition, options: CompileOptions | None = None) -> Compiled:
    """The machine of a valid definition.

    Raises CompileError when its history could pass `max_events` (loops aside: those move to child
    executions by themselves).
    """
    options = options or CompileOptions()
    counter = Counter()
    target = states.Target(options.function_arn, options.partition)
    flow = Flow(definition.graph)
    block = block_of(flow)
    scopes = {"": Scope(flow, "", "", None)}
    budget = _event_budget(definition, options)
    loops = Loops(definition, block_of, budget, scopes, counter)
    emitter = Emitter(target, scopes[""], counter, options.timeout_seconds, loops)
    entry, level = emitter.machine(block, FINISH)
    machine = {
        "Comment": "A compiled workflow. Data lives in the step ledger; states carry ids only.",
        "QueryLanguage": "JSONata",
        "TimeoutSeconds": options.timeout_seconds,
        "StartAt": entry,
        "States": level.states,
    }
    estimate = estimate_states(level.states)
    if estimate.events + EVENT_RESERVE > options.max_events:
        raise CompileError(
            f"A run could write {estimate.events} history events of {options.max_events}."
        )
    gates = {name: tuple(scope.gates.values()) for name, scope in scopes.items()}
    return Compiled(machine, Plan(gates), estimate)


def block_of(flow: Flow) -> Block:
    """The block of a graph."""
    order, _ = levels(flow.successors)
    return decompose(order, transitive_reduction(order, flow.successors))


def _event_budget(definition: Definition, options: CompileOptions) -> int:
    """What each loop may write into the history that holds it: a fair share of what is free."""
    nodes = sum(len(inner.graph.nodes) for _, inner in definition.walk())
    free = options.max_events - EVENT_RESERVE - _EVENTS_PER_NODE * nodes
    loops = sum(1 for _ in definition.walk()) - 1
    return max(free // max(loops, 1), 0)


# More than any node writes itself: opening, waiting and closing calls with every try.
_EVENTS_PER_NODE = 100
