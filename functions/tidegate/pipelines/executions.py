"""Domain objects of pipelines and their executions; no AWS, no storage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Literal, get_args

PipelineName = Literal[
    "inventory-scan", "cost-ingest", "findings-refresh", "model-retrain", "savings-ledger"
]
PIPELINES: tuple[PipelineName, ...] = get_args(PipelineName)
Status = Literal["running", "completed", "completed_with_gaps", "failed", "cancelled"]
StageStatus = Literal[
    "pending", "running", "completed", "completed_with_gaps", "failed", "cancelled"
]
Trigger = Literal["api", "schedule", "event"]

# The stages of each pipeline, in order.
STAGES: Mapping[PipelineName, tuple[str, ...]] = {
    "inventory-scan": ("discover", "refresh-findings"),
    "cost-ingest": ("cost-explorer", "focus-files"),
    "findings-refresh": ("evaluate",),
    "model-retrain": ("retrain",),
    "savings-ledger": ("measure",),
}
# The machine's own limit is two hours (pipeline.asl.yaml): after that its worker is dead.
MAY_LAST = timedelta(hours=2, minutes=10)
MAX_PROBLEMS = 50  # shown of one stage


@dataclass(frozen=True)
class Problem:
    """Why something was left out; texts are for the tenant and hold no provider's text."""

    code: str
    message: str


@dataclass(frozen=True)
class Unit:
    """One piece of a stage's work: an account, a file, a day. `state` is where it stands."""

    key: str
    done: bool = False
    items: int = 0
    state: Mapping[str, Any] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()

    def ended(self, items: int = 0, problems: Sequence[Problem] = ()) -> Unit:
        """The unit, finished."""
        return replace(self, done=True, items=items, state={}, problems=tuple(problems))


@dataclass(frozen=True)
class Stage:
    """One stage of an execution; `units` None: not planned yet."""

    name: str
    status: StageStatus = "pending"
    started_at: datetime | None = None
    completed_at: datetime | None = None
    units: tuple[Unit, ...] | None = None
    problems: tuple[Problem, ...] = ()

    @property
    def items(self) -> int:
        """What was worked through."""
        return sum(unit.items for unit in self.units or ())

    @property
    def all_problems(self) -> tuple[Problem, ...]:
        """What went wrong, at most 50 and how many more."""
        found = [*self.problems, *(one for unit in self.units or () for one in unit.problems)]
        if len(found) <= MAX_PROBLEMS:
            return tuple(found)
        more = len(found) - MAX_PROBLEMS
        return (*found[:MAX_PROBLEMS], Problem("MORE", f"and {more} more"))

    @property
    def over(self) -> bool:
        """True at a final status."""
        return self.status not in ("pending", "running")

    def ended(self, now: datetime) -> Stage:
        """The stage at its end: a unit that failed is a gap, not the end of the others."""
        status: StageStatus = "completed_with_gaps" if self.all_problems else "completed"
        return replace(self, status=status, completed_at=now)

    def stopped(self, status: StageStatus, problem: Problem | None, now: datetime) -> Stage:
        """The stage, cut off."""
        more = () if problem is None else (problem,)
        started = self.started_at or now
        return replace(
            self,
            status=status,
            started_at=started,
            completed_at=now,
            problems=(*self.problems, *more),
        )


@dataclass(frozen=True)
class Execution:
    """One execution of a pipeline. `revision` counts the writes: each needs the one before."""

    id: str
    tenant_id: str
    pipeline: PipelineName
    status: Status
    trigger: Trigger
    parameters: Mapping[str, Any]
    stages: tuple[Stage, ...]
    started_at: datetime
    deadline_at: datetime
    completed_at: datetime | None = None
    revision: int = 0
    launched: bool = False

    @property
    def over(self) -> bool:
        """True at a final status."""
        return self.status != "running"

    def with_stage(self, stage: Stage) -> Execution:
        """The execution with one stage replaced."""
        return replace(
            self, stages=tuple(stage if one.name == stage.name else one for one in self.stages)
        )

    def ended(self, now: datetime) -> Execution:
        """The execution after its last stage."""
        gaps = any(stage.status != "completed" for stage in self.stages)
        status: Status = "completed_with_gaps" if gaps else "completed"
        return replace(self, status=status, completed_at=now)

    def stopped(
        self, status: Literal["failed", "cancelled"], problem: Problem | None, now: datetime
    ) -> Execution:
        """The execution, cut off at its present stage."""
        stages: list[Stage] = []
        for stage in self.stages:
            if stage.over:
                stages.append(stage)
                continue
            stages.append(stage.stopped(status, problem, now))
            problem = None  # told once, at the stage where it stopped
        return replace(self, status=status, stages=tuple(stages), completed_at=now)


@dataclass(frozen=True)
class Schedule:
    """When a pipeline starts by itself. `next_at` None: never."""

    expression: str
    enabled: bool
    next_at: datetime | None = None


@dataclass(frozen=True)
class Pipeline:
    """One pipeline of a tenant; `stored` False: nothing but defaults yet."""

    name: PipelineName
    schedule: Schedule
    running_id: str | None = None
    running_until: datetime | None = None
    last_id: str | None = None
    stored: bool = True


@dataclass(frozen=True)
class Due:
    """A pipeline whose time has come, somewhere."""

    tenant_id: str
    name: PipelineName
    at: datetime


@dataclass(frozen=True)
class RunningRef:
    """An execution that runs, somewhere."""

    tenant_id: str
    id: str


def new_execution(
    execution_id: str,
    tenant_id: str,
    pipeline: PipelineName,
    trigger: Trigger,
    parameters: Mapping[str, Any],
    now: datetime,
) -> Execution:
    """An execution at its beginning."""
    return Execution(
        id=execution_id,
        tenant_id=tenant_id,
        pipeline=pipeline,
        status="running",
        trigger=trigger,
        parameters=parameters,
        stages=tuple(Stage(name) for name in STAGES[pipeline]),
        started_at=now,
        deadline_at=now + MAY_LAST,
    )
