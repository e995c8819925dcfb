"""foreach: an inline Map while the history has room, child executions beyond (E10)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tidegate.workflows.compiler import states
from tidegate.workflows.compiler.blocks import Block
from tidegate.workflows.compiler.emit import Emitter, LoopEmitter
from tidegate.workflows.compiler.estimate import item_events
from tidegate.workflows.compiler.levels import STOP, SWALLOW, Counter, Level, Scope
from tidegate.workflows.graph import Definition, Node
from tidegate.workflows.interpreter.flow import Flow

Decompose = Callable[[Flow], Block]


@dataclass(slots=True)
class Loops(LoopEmitter):
    """Emits the loops of one definition. `event_budget` is each loop's share of the history."""

    definition: Definition
    decompose: Decompose
    event_budget: int
    scopes: dict[str, Scope]
    counter: Counter
    depth: int = 1

    def emit(self, emitter: Emitter, level: Level, node: Node, catch: str, resume: str) -> str:
        """A leaf loop gets both forms and a choice by its count; an outer loop is distributed,

        so that each of its items has a history of its own for the loops inside.
        """
        inner = self.definition.loops[node.id]
        name = f"{emitter.scope.prefix}{node.id}"
        distributed = self._map(emitter, node, inner, "d", catch, resume)
        level.states[f"{name}.distributed"] = distributed
        if inner.loops:
            return f"{name}.distributed"
        inline = self._map(emitter, node, inner, "i", catch, resume)
        limit = self.event_budget // item_events(inline["ItemProcessor"]["States"])
        if limit < 1:
            return f"{name}.distributed"
        level.states[f"{name}.inline"] = inline
        size = f"{name}.size"
        rules = [(f"$states.input.count <= {limit}", f"{name}.inline")]
        level.states[size] = states.choice(rules, f"{name}.distributed")
        return size

    def _map(
        self, emitter: Emitter, node: Node, inner: Definition, form: str, catch: str, resume: str
    ) -> states.State:
        variable = f"at{self.depth}"
        outer = f"${emitter.scope.step_prefix} & " if emitter.scope.step_prefix else ""
        position = "$string($states.context.Map.Item.Value)"
        collect = node.data.get("on_item_error", "fail") == "collect"
        processor = self._processor(emitter, node, inner, form, variable, collect)
        return {
            "Type": "Map",
            "Items": "{% [0..$states.input.count - 1] %}",
            "ItemSelector": {
                "tenant_id": "{% $states.context.Execution.Input.tenant_id %}",
                "execution_id": "{% $states.context.Execution.Input.execution_id %}",
                "at": f"{{% {outer}'{node.id}[' & {position} & '].' %}}",
            },
            "MaxConcurrency": int(node.data.get("max_concurrency", 10)),
            "ItemProcessor": processor,
            "Output": {},
            "Catch": [states.catcher(catch, emitter.scope.step_id(node.id))],
            "Next": resume,
        }

    def _processor(
        self,
        emitter: Emitter,
        node: Node,
        inner: Definition,
        form: str,
        variable: str,
        collect: bool,
    ) -> dict[str, Any]:
        number = self.counter.name("").strip(".")
        path = f"{emitter.scope.name}/{node.id}" if emitter.scope.name else node.id
        flow = Flow(inner.graph)
        scope = Scope(flow, path, f"{form}{number}.", variable)
        self.scopes[path] = scope  # both forms have the same gates
        within = Loops(
            inner,
            self.decompose,
            self.event_budget,
            self.scopes,
            self.counter,
            self.depth + 1,
        )
        nested = Emitter(emitter.target, scope, self.counter, emitter.gate_seconds, within)
        entry, level = nested.level(self.decompose(flow), SWALLOW if collect else STOP)
        begin = f"{scope.prefix}.item"
        assigned = {variable: "{% $states.input.at %}"}
        level.states[begin] = {"Type": "Pass", "Assign": assigned, "Output": {}, "Next": entry}
        mode: dict[str, str] = {"Mode": "INLINE"}
        if form == "d":
            mode = {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}
        return {"ProcessorConfig": mode, "StartAt": begin, "States": level.states}
