"""Step Functions in this process: published machines run in the walker, tokens answered at once.

Time is virtual: `settle()` lets everything happen that needs no waiting, `settle(seconds)` lets so
much time pass. The step function is the product's own, called as Lambda would call it.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tidegate.workflows.service.machines import MachineRun, execution_arn
from tidegate.workflows.service.steps import StepFailed, StepRetryable

from tests.fakes.asl_walker import AslError, Backend, Walker, Work, _Frame

StepFunction = Callable[[Mapping[str, Any], object], Mapping[str, Any]]


@dataclass
class Run(Backend):
    """One execution of a machine."""

    engine: EngineMachines
    arn: str
    name: str
    machine: dict[str, Any]
    data: dict[str, Any]
    walker: Walker = field(init=False)
    stopped: bool = False

    def __post_init__(self) -> None:
        self.walker = Walker(self.machine, self)
        frame = _Frame(
            self.machine["States"],
            {},
            {"Input": self.data, "Id": self.arn},
            lambda output: self.walker._end(("SUCCEEDED", output)),
            lambda error: self.walker._end(("FAILED", error.name)),
        )
        self.frame = frame
        self.walker.later(0.0, lambda: self.walker._enter(frame, self.machine["StartAt"], {}))

    @property
    def status(self) -> str:
        """As DescribeExecution tells it."""
        if self.stopped:
            return "ABORTED"
        return "RUNNING" if self.walker.result is None else self.walker.result[0]

    def advance(self, until: float) -> bool:
        """Let events up to a virtual second happen; True if there were any."""
        happened = False
        events = self.walker._events
        while self.status == "RUNNING" and events and events[0][0] <= until:
            self.walker.now, _, action = heapq.heappop(events)
            action()
            happened = True
        return happened

    def invoke(self, payload: dict[str, Any], now: float) -> Work:
        """The step function."""

        def finish() -> Any:
            self.engine.calls.append(dict(payload))
            try:
                return json.loads(json.dumps(self.engine.step(payload, None)))
            except (StepRetryable, StepFailed) as error:
                raise AslError(type(error).__name__) from error
            except AslError:
                raise
            except Exception as error:
                self.engine.crashes.append(error)
                raise AslError(type(error).__name__) from error

        return Work(0.0, finish)

    def child(self, arguments: dict[str, Any], now: float) -> Work:
        """startExecution.sync:2."""
        self.engine.add(arguments["StateMachineArn"], arguments["Name"], arguments["Input"])

        def finish() -> Any:
            run = self.engine.runs[arguments["Name"]]
            while run.status == "RUNNING" and run.advance(run.walker.now + 10**9):
                continue
            if run.status != "SUCCEEDED":
                raise AslError("States.TaskFailed")
            return {"Output": {}}

        return Work(0.0, finish)


@dataclass
class EngineMachines:
    """Machines whose executions run in this process."""

    step: StepFunction
    machines: dict[str, dict[str, Any]] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)
    runs: dict[str, Run] = field(default_factory=dict)
    calls: list[dict[str, Any]] = field(default_factory=list)
    crashes: list[Exception] = field(default_factory=list)
    answered: list[tuple[str, bool]] = field(default_factory=list)
    paused: bool = False

    def publish(self, name: str, definition: Mapping[str, Any]) -> str:
        """A numbered version of the machine."""
        number = self.versions[name] = self.versions.get(name, 0) + 1
        arn = f"arn:aws:states:us-east-1:123456789012:stateMachine:{name}:{number}"
        self.machines[arn] = json.loads(json.dumps(definition))
        return arn

    def start(self, version_arn: str, name: str, data: Mapping[str, Any]) -> str:
        """The same name again is the same execution."""
        arn = self.add(version_arn, name, data)
        if not self.paused:
            self.settle()
        return arn

    def add(self, version_arn: str, name: str, data: Mapping[str, Any]) -> str:
        """As `start`, without letting anything happen yet."""
        arn = execution_arn(version_arn, name)
        if name not in self.runs:
            run = Run(self, arn, name, self.machines[version_arn], dict(data))
            run.walker._count = 100_000 * len(self.runs)  # tokens differ between executions
            self.runs[name] = run
        return arn

    def settle(self, seconds: float = 0.0) -> None:
        """Let every execution go as far as it can in that time."""
        limits = {name: run.walker.now + seconds for name, run in self.runs.items()}
        moved = True
        while moved:
            moved = False
            for name, run in list(self.runs.items()):
                moved |= run.advance(limits.setdefault(name, run.walker.now + seconds))

    def stop(self, execution_arn: str, error: str) -> None:
        """Abort."""
        run = self.runs.get(execution_arn.split(":")[-1])
        if run is not None and run.status == "RUNNING":
            run.stopped = True
            run.frame.alive = False

    def run(self, execution_arn: str) -> MachineRun | None:
        """Status."""
        found = self.runs.get(execution_arn.split(":")[-1])
        return None if found is None else MachineRun(found.status)

    def delete(self, name: str) -> None:
        """Nothing to do: what runs goes on."""

    def succeed(self, token: str, data: Mapping[str, Any]) -> bool:
        """Answer a token."""
        return self._answer(lambda run: run.walker.send_task_success(token, dict(data)), token)

    def fail(self, token: str, error: str) -> bool:
        """Fail a token."""
        return self._answer(lambda run: run.walker.send_task_failure(token, error), token)

    def _answer(self, act: Callable[[Run], None], token: str) -> bool:
        for run in self.runs.values():
            if run.status == "RUNNING" and token in run.walker._tokens:
                # Not at once: the function that answers may be called by this very walker.
                run.walker.later(0.0, lambda run=run: _quietly(act, run))  # type: ignore[misc]
                self.answered.append((token, True))
                return True
        self.answered.append((token, False))
        return False


def _quietly(act: Callable[[Run], None], run: Run) -> None:
    try:
        act(run)
    except AslError as error:
        if error.name != "TaskTimedOut":
            raise
