"""What a stage is, and what its steps are given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date
from typing import Any, Protocol

from tidegate_kit.budgets import Budgets
from tidegate_kit.clock import Clock

from tidegate.pipelines.executions import Execution, PipelineName, Unit
from tidegate.pipelines.repository import CostSeries, Executions
from tidegate.pipelines.service.ports import (
    Accounts,
    CostExplorer,
    CostFiles,
    Discovery,
    Findings,
    Lab,
)


@dataclass(frozen=True)
class Parts:
    """What the stages of one tenant are made of.

    `start` starts a pipeline (name, id) or raises PipelineRunning; `has_time` says whether this
    invocation may begin another step.
    """

    tenant_id: str
    executions: Executions
    costs: CostSeries
    budgets: Budgets
    accounts: Accounts
    discovery: Discovery
    explorer: CostExplorer
    files: CostFiles
    findings: Findings
    lab: Lab
    start: Callable[[PipelineName, str], object]
    clock: Clock
    has_time: Callable[[], bool] = lambda: True

    @property
    def today(self) -> date:
        """The day, UTC."""
        return self.clock().astimezone(UTC).date()


class Waiting(Exception):
    """Nothing to do now: ask again later. `unit` is how far it is."""

    def __init__(self, unit: Unit) -> None:
        self.unit = unit
        super().__init__(unit.key)


class StageWork(Protocol):
    """One stage. Every step may be killed anywhere and repeated."""

    def plan(self, parts: Parts, execution: Execution) -> list[Unit]:
        """The units to work through."""

    def step(self, parts: Parts, execution: Execution, unit: Unit) -> Unit:
        """One step of a unit. Raises Waiting, and what the machine tries again."""


def parameter(execution: Execution, name: str) -> Any:
    """A parameter of the run; None where it was not given."""
    return execution.parameters.get(name)
