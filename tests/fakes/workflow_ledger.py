"""A step Lambda over an in-memory ledger: what compiled machines call, for tests.

It follows the protocol of functions/tidegate/workflows/README.md with the product's pure rules, and
takes the execution of a try from the test, as the reference interpreter does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from tidegate.workflows.compiler import Compiled, route_token
from tidegate.workflows.graph import SKIPPED, Definition, StepId, parse_step_id
from tidegate.workflows.interpreter import (
    Attempt,
    Decision,
    Flow,
    Settled,
    Status,
    Visit,
    loop_answer,
    merge_output,
    route_after,
    visible_nodes,
)
from tidegate.workflows.interpreter.rules import settle_failure
from tidegate.workflows.nodes import Done, Loop, StepError
from tidegate.workflows.templating import Scope

from tests.fakes.asl_walker import EPOCH, AslError, Backend, Work

Execute = Callable[[Visit], Attempt]


@dataclass
class Record:
    """One step."""

    step_id: str
    type: str
    started_at: float
    status: Status = Status.RUNNING
    attempts: int = 0
    route: str | None = None
    output: dict[str, Any] | None = None
    error: StepError | None = None
    completed_at: float | None = None
    pending: Any = None


@dataclass
class LedgerLambda(Backend):
    """One execution's ledger, and the functions that a machine calls."""

    definition: Definition
    compiled: Compiled
    execute: Execute
    input_data: dict[str, Any] = field(default_factory=dict)
    records: dict[str, Record] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    item_errors: dict[str, StepError] = field(default_factory=dict)
    calls: list[tuple[str, str]] = field(default_factory=list)
    output: dict[str, Any] | None = None
    now: float = 0.0
    answer: Callable[[str, Any], None] = lambda token, output: None
    fail_token: Callable[[str, str], None] = lambda token, error: None
    clock: Callable[[], float] | None = None
    later: Callable[[float, Callable[[], None]], None] | None = None
    gate_checks: bool = True

    def __post_init__(self) -> None:
        self.flows = {scope: Flow(part.graph) for scope, part in self.definition.walk()}

    # What the machine calls

    def invoke(self, payload: dict[str, Any], now: float) -> Work:
        """The step Lambda."""
        self.now = now
        action, step_id = payload["action"], payload.get("step_id", "")
        self.calls.append((action, step_id))
        if action == "run":
            return self._run(parse_step_id(step_id), payload.get("task_token"))
        if action == "resume":
            return Work(0.0, lambda: self._resume(parse_step_id(step_id)))
        if action == "fail":
            return Work(0.0, lambda: self._fail(parse_step_id(step_id), payload["error"]))
        if action == "gate":
            return Work(0.0, lambda: self._gate(parse_step_id(step_id), payload["task_token"]))
        assert action == "finish", action
        return Work(0.0, self._finish)

    def child(self, arguments: dict[str, Any], now: float) -> Work:
        """A child machine: takes the pending try's time and gives its result."""
        step_id = arguments["Input"]["execution_id"].removeprefix("child of ")
        attempt: Attempt = self.records[step_id].pending

        def finish() -> dict[str, Any]:
            if isinstance(attempt.result, StepError):
                self.records[step_id].error = attempt.result
                raise AslError("States.TaskFailed")
            return {"Output": {}}

        return Work(attempt.seconds, finish)

    # Steps

    def _run(self, step: StepId, token: str | None) -> Work:
        record = self.records.get(str(step))
        if record is not None and record.completed_at is not None:
            route = record.route if record.status is Status.COMPLETED else SKIPPED
            return self._settled_answer(step, route or SKIPPED, token)
        flow, place = self._place(step)
        decision = flow.decide(place, self._settled(step))
        assert decision is not Decision.NOT_YET, f"{step} was called before its predecessors ended"
        if decision is Decision.SKIP:
            self._skip([step])
            self._after(step, None)
            return self._settled_answer(step, SKIPPED, token)
        node = flow.graph.nodes[place]
        if record is None:
            record = Record(str(step), node.type, self.time())
            self.records[str(step)] = record
        record.attempts += 1
        visit = Visit(str(step), node, self._scope(step), record.attempts, self.time())
        attempt = self.execute(visit)
        if token is not None:
            return self._ask(step, record, attempt, token)
        if node.type in ("delay", "subworkflow") and node.data.get("wait") is not False:
            return self._hold(record, node.type, attempt)
        return Work(attempt.seconds, lambda: self._tried(step, record, attempt))

    def _settled_answer(self, step: StepId, route: str, token: str | None) -> Work:
        node = self._node(step)
        body = {"route": route_token(node, route), "until": "", "count": 0}
        body |= {"machine": "", "name": "", "child": ""}
        if token is not None:
            self._soon(0.0, lambda: self.answer(token, {"route": body["route"]}))
        return Work(0.0, lambda: body)

    def _ask(self, step: StepId, record: Record, attempt: Attempt, token: str) -> Work:
        record.status = Status.WAITING

        def decided() -> None:
            if record.completed_at is not None:
                return
            try:
                if isinstance(attempt.result, StepError):
                    raise attempt.result
                assert isinstance(attempt.result, Done)
                route = route_after(*self._place(step), attempt.result)
            except StepError as error:
                record.error = error
                self.fail_token(token, "StepRetryable" if error.retryable else "StepFailed")
                return
            self._complete(step, attempt.result)
            self.answer(token, {"route": route_token(self._node(step), route)})

        self._soon(attempt.seconds, decided)
        return Work(0.0, lambda: None)

    def _hold(self, record: Record, kind: str, attempt: Attempt) -> Work:
        record.pending = attempt
        if kind == "delay":
            moment = EPOCH + timedelta(seconds=self.time() + attempt.seconds)
            until = moment.isoformat().replace("+00:00", "Z")
            return Work(0.0, lambda: {"route": "wait", "until": until})
        body = {"route": "child", "machine": "arn:child", "name": "child"}
        return Work(0.0, lambda: {**body, "child": f"child of {record.step_id}"})

    def _tried(self, step: StepId, record: Record, attempt: Attempt) -> dict[str, Any]:
        result = attempt.result
        if isinstance(result, StepError):
            record.error = result
            raise AslError("StepRetryable" if result.retryable else "StepFailed")
        if isinstance(result, Loop):
            record.pending = result
            return {"route": "items", "count": len(result.items)}
        route = self._complete(step, result)
        return {"route": route_token(self._node(step), route), "count": 0}

    def _resume(self, step: StepId) -> dict[str, Any]:
        record = self.records[str(step)]
        pending = record.pending
        if isinstance(pending, Loop):
            done = self._loop_done(step, pending)
        elif isinstance(pending.result, StepError):
            record.error = pending.result
            raise AslError("StepFailed")
        else:
            done = pending.result
        route = self._complete(step, done)
        return {"route": route_token(self._node(step), route)}

    def _loop_done(self, step: StepId, loop: Loop) -> Done:
        results: list[Any] = []
        errors: dict[int, StepError] = {}
        scope = f"{step.scope}/{step.node_id}" if step.scope else step.node_id
        for index in range(len(loop.items)):
            prefix = f"{step}[{index}]."
            error = self.item_errors.get(prefix)
            if error is not None:
                errors[index] = error
                results.append(None)
            else:
                results.append(merge_output(self.flows[scope], self._outputs(scope, prefix)))
        answer = loop_answer(results, errors)
        return Done({**answer, "count": len(results)})

    def _fail(self, step: StepId, error_name: str) -> dict[str, Any]:
        record = self.records[str(step)]
        if error_name == "States.Timeout":
            seconds = self._node(step).data.get("timeout_seconds", 300)
            text = f"The step took more than {seconds} s."
            record.error = StepError("TIMEOUT", text, retryable=True)
        flow, place = self._place(step)
        if isinstance(record.pending, Loop):
            record.error = next(
                error for key, error in self.item_errors.items() if key.startswith(f"{step}[")
            )
            self._cancel(f"{step}[")
        assert record.error is not None, error_name
        settled = settle_failure(flow, place)
        record.status, record.completed_at = Status.FAILED, self.time()
        record.route = settled.route
        if settled.route is None:
            self.item_errors.setdefault(step.prefix, record.error)
            self._cancel(step.prefix)
            return {"route": "none"}
        self._after(step, settled.route)
        return {"route": settled.route}

    def _complete(self, step: StepId, done: Done) -> str:
        record = self.records[str(step)]
        try:
            route = route_after(*self._place(step), done)
        except StepError as error:
            record.error = error
            raise AslError("StepFailed") from error
        record.status, record.output, record.route = Status.COMPLETED, done.output, route
        record.completed_at = self.time()
        self._after(step, route)
        return route

    def _after(self, step: StepId, route: str | None) -> None:
        """Record what this end skips for certain, then answer the gates that waited for it."""
        flow, _ = self._place(step)
        skipped = [
            StepId(step.scope, step.positions, node_id)
            for node_id in flow.skip_ids(step.node_id, route)
        ]
        self._skip(skipped)
        for one in (step, *skipped):
            for gate in self.compiled.plan.gates_after(step.scope, one.node_id):
                self._try_gate(StepId(step.scope, step.positions, gate.gate_id))

    def _skip(self, steps: list[StepId]) -> None:
        for step in steps:
            if str(step) not in self.records:
                now = self.time()
                record = Record(str(step), self._node(step).type, now, Status.SKIPPED)
                record.completed_at = now
                self.records[str(step)] = record

    def _cancel(self, prefix: str) -> None:
        for record in self.records.values():
            if record.step_id.startswith(prefix) and record.completed_at is None:
                record.status, record.completed_at = Status.CANCELLED, self.time()

    # Gates

    def _gate(self, step: StepId, token: str) -> None:
        self.tokens[str(step)] = token
        self._try_gate(step)

    def _try_gate(self, step: StepId) -> None:
        token = self.tokens.get(str(step))
        gate = self.compiled.plan.gate(step.scope, step.node_id)
        ends = [
            self.records.get(str(StepId(step.scope, step.positions, node_id)))
            for node_id in gate.waits_for
        ]
        ready = all(end is not None and end.completed_at is not None for end in ends)
        if token is not None and (ready or not self.gate_checks):
            del self.tokens[str(step)]
            self._soon(0.0, lambda: self.answer(token, {"route": "open"}))

    def _finish(self) -> dict[str, Any]:
        self.output = merge_output(self.flows[""], self._outputs("", ""))
        return {"route": "finished"}

    # Reading

    def time(self) -> float:
        """The time now: the machine's, where it has one."""
        return self.clock() if self.clock is not None else self.now

    def _soon(self, seconds: float, action: Callable[[], None]) -> None:
        if self.later is not None:
            self.later(seconds, action)
        else:
            action()

    def _place(self, step: StepId) -> tuple[Flow, int]:
        flow = self.flows[step.scope]
        return flow, flow.graph.index[step.node_id]

    def _node(self, step: StepId) -> Any:
        flow, place = self._place(step)
        return flow.graph.nodes[place]

    def _settled(self, step: StepId) -> dict[int, Settled]:
        flow, _ = self._place(step)
        settled: dict[int, Settled] = {}
        for place, node in enumerate(flow.graph.nodes):
            record = self.records.get(step.prefix + node.id)
            if record is not None and record.completed_at is not None:
                settled[place] = Settled(record.status, record.route)
        return settled

    def _outputs(self, scope: str, prefix: str) -> dict[str, dict[str, Any]]:
        outputs: dict[str, dict[str, Any]] = {}
        for node in self.flows[scope].graph.nodes:
            record = self.records.get(prefix + node.id)
            if record is None:
                continue
            if record.status is Status.COMPLETED:
                outputs[node.id] = {"output": record.output}
            elif record.status is Status.FAILED and record.error is not None:
                error = record.error
                seen = {"code": error.code, "message": error.message, "attempts": record.attempts}
                outputs[node.id] = {"error": seen}
        return outputs

    def _scope(self, step: StepId) -> Scope:
        names = step.scope.split("/") if step.scope else []
        nodes: Any = {}
        loop: dict[str, Any] | None = None
        prefix, scope = "", ""
        for name, position in zip(names, step.positions, strict=True):
            nodes = visible_nodes(self._outputs(scope, prefix), nodes)
            pending = self.records[f"{prefix}{name}"].pending
            loop = {"item": pending.items[position], "index": position}
            scope = f"{scope}/{name}" if scope else name
            prefix = f"{prefix}{name}[{position}]."
        nodes = visible_nodes(self._outputs(scope, prefix), nodes)
        return Scope(input=self.input_data, nodes=nodes, loop=loop)
