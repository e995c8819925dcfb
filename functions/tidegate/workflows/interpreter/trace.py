"""What an interpreted run tells and what it asks of its executor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tidegate.workflows.graph import Node
from tidegate.workflows.interpreter.flow import Status
from tidegate.workflows.nodes import Done, Loop, StepError
from tidegate.workflows.templating import Scope


@dataclass(frozen=True, slots=True)
class Visit:
    """One try of one step. `time` in virtual seconds since the start."""

    step_id: str
    node: Node
    scope: Scope
    attempt: int
    time: float


@dataclass(frozen=True, slots=True)
class Attempt:
    """What a try gave, and after how many virtual seconds. Waiting is part of the seconds."""

    result: Done | Loop | StepError
    seconds: float = 0.0


Executor = Callable[[Visit], Attempt]


@dataclass(slots=True)
class Step:
    """The record of one step; times in virtual seconds since the start."""

    step_id: str
    type: str
    status: Status
    started_at: float
    order: tuple[int, ...]
    completed_at: float | None = None
    attempts: int = 0
    output: dict[str, Any] | None = None
    error: StepError | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """A finished run. `error` names the step that ended it; `seconds` is the makespan."""

    status: Status
    steps: tuple[Step, ...]
    output: dict[str, Any] | None
    error: tuple[str, StepError] | None
    seconds: float

    def step(self, step_id: str) -> Step:
        """The step of that id. Raises KeyError."""
        return next(step for step in self.steps if step.step_id == step_id)
