"""A walker of Amazon States Language in JSONata mode, in virtual time, for tests alone.

It shares no code with the product. Expressions are evaluated by jsonata-python. Work of tasks is
injected: `Work(seconds, finish)` ends after `seconds` of virtual time, when `finish()` gives the
result or raises AslError. Aborted work never finishes.
"""

from __future__ import annotations

import functools
import heapq
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import jsonata

SIZE_LIMIT = 262_144
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)  # virtual second 0


class AslError(Exception):
    """An error by name, as Step Functions matches it."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(name)


@dataclass(frozen=True)
class Work:
    """What a call does: takes a while, then gives a result."""

    seconds: float
    finish: Callable[[], Any]


class Backend:
    """What tasks call. `payload` is the Lambda's event or the child's Input."""

    def invoke(self, payload: dict[str, Any], now: float) -> Work:
        raise NotImplementedError

    def child(self, arguments: dict[str, Any], now: float) -> Work:
        raise NotImplementedError


@dataclass
class _Frame:
    """One run of a `States` object."""

    states: dict[str, Any]
    variables: dict[str, Any]
    execution: dict[str, Any]
    done: Callable[[Any], None]
    failed: Callable[[AslError], None]
    item: Any = None
    alive: bool = True
    parent: _Frame | None = None

    @property
    def running(self) -> bool:
        frame: _Frame | None = self
        while frame is not None:
            if not frame.alive:
                return False
            frame = frame.parent
        return True


class Walker:
    """Runs one machine. `now` is the virtual time; `entered` counts states; `largest` is bytes."""

    def __init__(self, machine: dict[str, Any], backend: Backend) -> None:
        assert machine["QueryLanguage"] == "JSONata"
        self.machine = machine
        self.backend = backend
        self.now = 0.0
        self.entered: dict[str, int] = {}
        self.largest = 0
        self.handed_on: list[Any] = []
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self._tokens: dict[str, Callable[[Any], None]] = {}
        self.result: tuple[str, Any] | None = None

    def run(self, execution_input: dict[str, Any]) -> tuple[str, Any]:
        """("SUCCEEDED", output) or ("FAILED", error name)."""
        frame = _Frame(
            self.machine["States"],
            {},
            {"Input": execution_input, "Id": "arn:execution"},
            lambda output: self._end(("SUCCEEDED", output)),
            lambda error: self._end(("FAILED", error.name)),
        )
        self._enter(frame, self.machine["StartAt"], execution_input)
        while self.result is None:
            assert self._events, "the machine is stuck"
            self.now, _, action = heapq.heappop(self._events)
            action()
        frame.alive = False
        return self.result

    def send_task_success(self, token: str, output: Any) -> None:
        """Answers a task token; an unknown or spent one is refused."""
        answer = self._tokens.pop(token, None)
        if answer is None:
            raise AslError("TaskTimedOut")
        answer(output)

    def send_task_failure(self, token: str, error: str) -> None:
        """Fails a task token."""
        answer = self._tokens.pop(token, None)
        if answer is None:
            raise AslError("TaskTimedOut")
        answer(AslError(error))

    def later(self, seconds: float, action: Callable[[], None]) -> None:
        """Queue an action."""
        self._count += 1
        heapq.heappush(self._events, (self.now + seconds, self._count, action))

    def _end(self, result: tuple[str, Any]) -> None:
        self.result = result

    # States

    def _enter(self, frame: _Frame, name: str, value: Any) -> None:
        self.entered[name] = self.entered.get(name, 0) + 1
        self._measure(value)
        state = frame.states[name]
        getattr(self, f"_{state['Type'].lower()}")(frame, name, state, value)

    def _measure(self, value: Any) -> None:
        size = len(json.dumps(value).encode())
        assert size <= SIZE_LIMIT, "States.DataLimitExceeded"
        self.largest = max(self.largest, size)
        self.handed_on.append(value)

    def _go_on(self, frame: _Frame, state: dict[str, Any], value: Any) -> None:
        if not frame.running:
            return
        if state.get("End") or state["Type"] == "Succeed":
            frame.done(value)
        else:
            self._enter(frame, state["Next"], value)

    def _pass(self, frame: _Frame, name: str, state: dict[str, Any], value: Any) -> None:
        scope = {"input": value}
        for key, expression in state.get("Assign", {}).items():
            assert key not in frame.variables, f"variable {key} exists in an outer scope"
            frame.variables[key] = self._fill(frame, expression, scope)
        self._go_on(frame, state, self._output(frame, state, scope, value))

    _succeed = _pass

    def _fail(self, frame: _Frame, name: str, state: dict[str, Any], value: Any) -> None:
        frame.failed(AslError(state["Error"]))

    def _choice(self, frame: _Frame, name: str, state: dict[str, Any], value: Any) -> None:
        for rule in state["Choices"]:
            if self._fill(frame, rule["Condition"], {"input": value}) is True:
                self._enter(frame, rule["Next"], value)
                return
        self._enter(frame, state["Default"], value)

    def _wait(self, frame: _Frame, name: str, state: dict[str, Any], value: Any) -> None:
        if "Seconds" in state:
            seconds = self._fill(frame, state["Seconds"], {"input": value})
        else:
            until = self._fill(frame, state["Timestamp"], {"input": value})
            seconds = (datetime.fromisoformat(until) - EPOCH).total_seconds() - self.now
        output = self._output(frame, state, {"input": value}, value)
        self.later(max(seconds, 0.0), lambda: self._go_on(frame, state, output))

    def _parallel(self, frame: _Frame, name: str, state: dict[str, Any], value: Any) -> None:
        outputs: list[Any] = [None] * len(state["Branches"])
        left = [len(outputs)]
        group = self._group(frame, state, value)

        def finished(index: int, output: Any) -> None:
            outputs[index] = output
            left[0] -= 1
            if left[0] == 0:
                scope = {"input": value, "result": outputs}
                self._go_on(frame, state, self._output(frame, state, scope, outputs))

        for index, branch in enumerate(state["Branches"]):
            inner = self._inner(group, branch["States"], functools.partial(finished, index))
            self.later(0.0, functools.partial(self._begin, inner, branch["StartAt"], value))

    def _map(self, frame: _Frame, name: str, state: dict[str, Any], value: Any) -> None:
        items = self._fill(frame, state["Items"], {"input": value})
        assert isinstance(items, list)
        processor = state["ItemProcessor"]
        distributed = processor["ProcessorConfig"]["Mode"] == "DISTRIBUTED"
        outputs: list[Any] = [None] * len(items)
        progress = {"next": 0, "open": 0}
        group = self._group(frame, state, value)

        def start_next() -> None:
            if progress["next"] == len(items):
                if progress["open"] == 0:
                    scope = {"input": value, "result": outputs}
                    self._go_on(frame, state, self._output(frame, state, scope, outputs))
                return
            index = progress["next"]
            progress["next"] += 1
            progress["open"] += 1
            context = {"Map": {"Item": {"Index": index, "Value": items[index]}}}
            chosen = self._fill(frame, state["ItemSelector"], {"input": value}, context)

            def finished(output: Any) -> None:
                outputs[index] = output
                progress["open"] -= 1
                start_next()

            inner = self._inner(group, processor["States"], finished)
            if distributed:  # a child execution: own input, no outer variables
                inner.execution = {"Input": chosen, "Id": "arn:child"}
                inner.variables = {}
            self.later(0.0, functools.partial(self._begin, inner, processor["StartAt"], chosen))

        for _ in range(min(state["MaxConcurrency"], len(items))):
            start_next()

    def _group(self, frame: _Frame, state: dict[str, Any], value: Any) -> _Frame:
        """The frame whose end aborts all branches; its failure is the state's."""
        group = _Frame({}, frame.variables, frame.execution, lambda _: None, lambda _: None)
        group.parent = frame

        def failed(error: AslError) -> None:
            if group.running:
                group.alive = False
                self._catch(frame, state, value, error)

        group.failed = failed
        return group

    def _inner(self, group: _Frame, states: dict[str, Any], done: Callable[[Any], None]) -> _Frame:
        inner = _Frame(states, dict(group.variables), group.execution, done, group.failed)
        inner.parent = group
        return inner

    def _begin(self, frame: _Frame, name: str, value: Any) -> None:
        if frame.running:
            self._enter(frame, name, value)

    # Tasks

    def _task(self, frame: _Frame, name: str, state: dict[str, Any], value: Any) -> None:
        self._attempt(frame, state, value, [0] * len(state.get("Retry", ())))

    def _attempt(self, frame: _Frame, state: dict[str, Any], value: Any, used: list[int]) -> None:
        if not frame.running:
            return
        service = state["Resource"].rpartition(":::")[2]
        over = [False]
        token = f"token-{len(self.entered)}-{self._count}"

        def end(result: Any) -> None:
            if over[0] or not frame.running:
                return
            over[0] = True
            self._tokens.pop(token, None)
            if isinstance(result, AslError):
                self._retry(frame, state, value, used, result)
                return
            scope = {"input": value, "result": result}
            self._go_on(frame, state, self._output(frame, state, scope, result))

        context = {"Task": {"Token": token}}
        arguments = self._fill(frame, state["Arguments"], {"input": value}, context)
        self._measure(arguments)
        if service == "lambda:invoke.waitForTaskToken":
            self._tokens[token] = end
        self._call(service, arguments, frame, over, end)
        timeout = AslError("States.Timeout")
        self.later(state["TimeoutSeconds"], lambda: end(timeout))

    def _call(
        self,
        service: str,
        arguments: dict[str, Any],
        frame: _Frame,
        over: list[bool],
        end: Callable[[Any], None],
    ) -> None:
        waits = service.endswith(".waitForTaskToken")
        if service.startswith("lambda:invoke"):
            work = self.backend.invoke(arguments["Payload"], self.now)
        else:
            assert service == "states:startExecution.sync:2", service
            work = self.backend.child(arguments, self.now)

        def finish() -> None:
            if over[0] or not frame.running:
                return
            try:
                result = work.finish()
            except AslError as error:
                end(error)
                return
            if not waits:
                end({"Payload": result} if service == "lambda:invoke" else result)

        self.later(work.seconds, finish)

    def _retry(
        self,
        frame: _Frame,
        state: dict[str, Any],
        value: Any,
        used: list[int],
        error: AslError,
    ) -> None:
        for index, retrier in enumerate(state.get("Retry", ())):
            if error.name in retrier["ErrorEquals"] or "States.ALL" in retrier["ErrorEquals"]:
                if used[index] < retrier["MaxAttempts"]:
                    delay = retrier["IntervalSeconds"] * retrier["BackoffRate"] ** used[index]
                    used[index] += 1
                    delay = min(delay, retrier.get("MaxDelaySeconds", delay))
                    self.later(delay, lambda: self._attempt(frame, state, value, used))
                    return
                break
        self._catch(frame, state, value, error)

    def _catch(self, frame: _Frame, state: dict[str, Any], value: Any, error: AslError) -> None:
        for catcher in state.get("Catch", ()):
            if error.name in catcher["ErrorEquals"] or "States.ALL" in catcher["ErrorEquals"]:
                scope = {"input": value, "errorOutput": {"Error": error.name, "Cause": ""}}
                self._enter(frame, catcher["Next"], self._fill(frame, catcher["Output"], scope))
                return
        frame.failed(error)

    # JSONata

    def _output(
        self, frame: _Frame, state: dict[str, Any], scope: dict[str, Any], default: Any
    ) -> Any:
        if "Output" not in state:
            return default
        return self._fill(frame, state["Output"], scope)

    def _fill(
        self,
        frame: _Frame,
        value: Any,
        scope: dict[str, Any],
        context: dict[str, Any] | None = None,
    ) -> Any:
        if isinstance(value, dict):
            return {key: self._fill(frame, item, scope, context) for key, item in value.items()}
        if isinstance(value, list):
            return [self._fill(frame, item, scope, context) for item in value]
        if not (isinstance(value, str) and value.startswith("{%") and value.endswith("%}")):
            return value
        expression = _expression(value[2:-2].strip())
        bindings = expression.create_frame()
        states = {**scope, "context": {"Execution": frame.execution, **(context or {})}}
        bindings.bind("states", states)
        for name, content in frame.variables.items():
            bindings.bind(name, content)
        result = expression.evaluate(None, bindings)
        assert result is not None, f"States.QueryEvaluationError: {value}"
        return list(result) if isinstance(result, list | range) else result


@functools.lru_cache(maxsize=4096)
def _expression(text: str) -> jsonata.Jsonata:
    return jsonata.Jsonata(text)
