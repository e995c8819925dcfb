"""The reference interpreter: runs a definition in virtual time, with injected step execution.

It gives the semantics that compiled machines must have: the same steps run, skipped and failed,
the same outputs, and the shortest time in which the graph can run.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tidegate.workflows.graph import Definition
from tidegate.workflows.interpreter.flow import Decision, Flow, Settled, Status
from tidegate.workflows.interpreter.rules import (
    loop_answer,
    merge_output,
    retry_delay,
    retry_policy,
    route_after,
    settle_failure,
    timeout_seconds,
    visible_nodes,
)
from tidegate.workflows.interpreter.trace import Executor, Run, Step, Visit
from tidegate.workflows.nodes import Done, Loop, StepError
from tidegate.workflows.templating import Scope

# Types whose own time-out is not data.timeout_seconds.
_SELF_TIMED = frozenset({"delay", "approval", "foreach"})


def interpret(
    definition: Definition,
    input_data: Mapping[str, Any],
    execute: Executor,
    *,
    trigger: Mapping[str, Any] | None = None,
    secret: Callable[[str], str] | None = None,
) -> Run:
    """Run a valid definition to its end. `execute` must give the same for the same visit."""
    world = _World(execute)
    scope = Scope(input=dict(input_data), trigger=dict(trigger or {}))
    if secret is not None:
        scope = Scope(input=scope.input, trigger=scope.trigger, secret=secret)
    top = _GraphRun(world, definition, scope, "", ())
    ended: list[tuple[str, StepError] | dict[str, Any]] = []
    top.start(on_done=ended.append, on_fail=lambda step_id, error: ended.append((step_id, error)))
    world.run_until(lambda: bool(ended))
    steps = tuple(sorted(world.steps, key=lambda step: (step.started_at, step.order)))
    end = ended[0]
    if isinstance(end, tuple):
        return Run(Status.FAILED, steps, None, end, world.now)
    return Run(Status.COMPLETED, steps, end, None, world.now)


class _World:
    """Virtual time, the event queue and the step records."""

    def __init__(self, execute: Executor) -> None:
        self.execute = execute
        self.now = 0.0
        self.steps: list[Step] = []
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0

    def later(self, seconds: float, action: Callable[[], None]) -> None:
        """Do something after a span of virtual time."""
        self._count += 1
        heapq.heappush(self._events, (self.now + seconds, self._count, action))

    def run_until(self, over: Callable[[], bool]) -> None:
        """Let time pass."""
        while not over():
            self.now, _, action = heapq.heappop(self._events)
            action()


@dataclass(slots=True)
class _LoopState:
    """A running foreach: what is still to do, and what came out."""

    items: list[Any]
    results: list[Any]
    errors: dict[int, StepError] = field(default_factory=dict)
    next_item: int = 0
    open: int = 0


class _GraphRun:
    """One run of one graph: the workflow's, or one item of a foreach."""

    def __init__(
        self,
        world: _World,
        definition: Definition,
        scope: Scope,
        prefix: str,
        order: tuple[int, ...],
    ) -> None:
        self._world = world
        self._definition = definition
        self._flow = Flow(definition.graph)
        self._scope = scope
        self._prefix = prefix
        self._order = order
        self._settled: dict[int, Settled] = {}
        self._outputs: dict[str, dict[str, Any]] = {}
        self._open: dict[int, Step] = {}
        self._inner: list[_GraphRun] = []
        self._over = False
        self._on_done: Callable[[dict[str, Any]], None]
        self._on_fail: Callable[[str, StepError], None]

    def start(
        self,
        *,
        on_done: Callable[[dict[str, Any]], None],
        on_fail: Callable[[str, StepError], None],
    ) -> None:
        """Begin with the nodes that wait for nothing."""
        self._on_done, self._on_fail = on_done, on_fail
        for place in range(len(self._flow.incoming)):
            if not self._flow.incoming[place]:
                self._reach(place)

    def cancel(self) -> None:
        """Stop: what runs is cancelled, nothing new starts."""
        self._over = True
        for step in self._open.values():
            step.status, step.completed_at = Status.CANCELLED, self._world.now
        for inner in self._inner:
            if not inner._over:
                inner.cancel()

    def _reach(self, place: int) -> None:
        if self._over or place in self._settled or place in self._open:
            return
        decision = self._flow.decide(place, self._settled)
        if decision is Decision.NOT_YET:
            return
        node = self._flow.graph.nodes[place]
        step = Step(
            step_id=self._prefix + node.id,
            type=node.type,
            status=Status.RUNNING,
            started_at=self._world.now,
            order=(*self._order, self._flow.rank[place]),
        )
        self._world.steps.append(step)
        if decision is Decision.SKIP:
            step.status, step.completed_at = Status.SKIPPED, self._world.now
            # By way of the queue: a long chain of skipped nodes must not deepen the stack.
            self._settled[place] = Settled(Status.SKIPPED, None)
            self._world.later(0.0, lambda: self._settle(place, self._settled[place]))
            return
        self._open[place] = step
        self._try(place)

    def _try(self, place: int) -> None:
        if self._over:
            return
        node, step = self._flow.graph.nodes[place], self._open[place]
        step.attempts += 1
        nodes = visible_nodes(self._outputs, self._scope.nodes)
        scope = Scope(
            input=self._scope.input,
            nodes=nodes,
            trigger=self._scope.trigger,
            secret=self._scope.secret,
            loop=self._scope.loop,
        )
        visit = Visit(step.step_id, node, scope, step.attempts, self._world.now)
        attempt = self._world.execute(visit)
        seconds, result = attempt.seconds, attempt.result
        limit = timeout_seconds(node)
        if seconds > limit and node.type not in _SELF_TIMED:
            seconds = float(limit)
            result = StepError("TIMEOUT", f"The step took more than {limit} s.", retryable=True)
        self._world.later(seconds, lambda: self._tried(place, result))

    def _tried(self, place: int, result: Done | Loop | StepError) -> None:
        if self._over:
            return
        if isinstance(result, Loop):
            self._loop(place, result)
        elif isinstance(result, Done):
            self._complete(place, result)
        else:
            self._fail_try(place, result)

    def _complete(self, place: int, done: Done) -> None:
        try:
            route = route_after(self._flow, place, done)
        except StepError as error:
            self._fail(place, error)
            return
        step = self._open.pop(place)
        step.status, step.completed_at = Status.COMPLETED, self._world.now
        step.output = done.output
        self._outputs[self._flow.graph.nodes[place].id] = {"output": done.output}
        self._settle(place, Settled(Status.COMPLETED, route))

    def _fail_try(self, place: int, error: StepError) -> None:
        policy = retry_policy(self._flow.graph.nodes[place])
        tried = self._open[place].attempts
        if error.retryable and tried < policy.max_attempts:
            self._world.later(retry_delay(policy, tried), lambda: self._try(place))
        else:
            self._fail(place, error)

    def _fail(self, place: int, error: StepError) -> None:
        step = self._open.pop(place)
        step.status, step.completed_at, step.error = Status.FAILED, self._world.now, error
        settled = settle_failure(self._flow, place)
        if settled.route is None:
            self.cancel()
            self._on_fail(step.step_id, error)
            return
        seen = {"code": error.code, "message": error.message, "attempts": step.attempts}
        self._outputs[self._flow.graph.nodes[place].id] = {"error": seen}
        self._settle(place, settled)

    def _settle(self, place: int, settled: Settled) -> None:
        if self._over:
            return
        self._settled[place] = settled
        if len(self._settled) == len(self._flow.graph.nodes):
            self._over = True
            self._on_done(merge_output(self._flow, self._outputs))
            return
        for target in self._flow.successors[place]:
            self._reach(target)

    def _loop(self, place: int, loop: Loop) -> None:
        state = _LoopState(loop.items, [None] * len(loop.items))
        data = self._flow.graph.nodes[place].data
        for _ in range(min(int(data.get("max_concurrency", 10)), len(loop.items))):
            self._next_item(place, state)

    def _next_item(self, place: int, state: _LoopState) -> None:
        if self._over:
            return
        if state.next_item == len(state.items):
            if state.open == 0:
                self._close_loop(place, state)
            return
        index = state.next_item
        state.next_item += 1
        state.open += 1
        node = self._flow.graph.nodes[place]
        inner = self._run_of_item(place, state.items[index], index)
        self._inner.append(inner)

        def done(output: dict[str, Any]) -> None:
            state.results[index] = output
            state.open -= 1
            self._next_item(place, state)

        def failed(_: str, error: StepError) -> None:
            state.errors[index] = error
            state.open -= 1
            if node.data.get("on_item_error", "fail") == "collect":
                self._next_item(place, state)
                return
            for other in self._inner:
                if not other._over and other._prefix.startswith(f"{self._prefix}{node.id}["):
                    other.cancel()
            self._fail(place, error)

        inner.start(on_done=done, on_fail=failed)

    def _run_of_item(self, place: int, item: Any, index: int) -> _GraphRun:
        node = self._flow.graph.nodes[place]
        scope = Scope(
            input=self._scope.input,
            nodes=visible_nodes(self._outputs, self._scope.nodes),
            trigger=self._scope.trigger,
            secret=self._scope.secret,
            loop={"item": item, "index": index},
        )
        return _GraphRun(
            self._world,
            self._definition.loops[node.id],
            scope,
            f"{self._prefix}{node.id}[{index}].",
            (*self._order, self._flow.rank[place], index),
        )

    def _close_loop(self, place: int, state: _LoopState) -> None:
        answer = loop_answer(state.results, state.errors)
        self._complete(place, Done({**answer, "count": len(state.results)}))
