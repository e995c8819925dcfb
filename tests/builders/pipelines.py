"""A tenant's pipelines for tests: doubles of what the stages ask, on any store."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from tidegate.discovery.errors import DiscoveryRunning
from tidegate.pipelines.domain import CostLine
from tidegate.pipelines.errors import AccountDenied
from tidegate.pipelines.executions import Execution, PipelineName
from tidegate.pipelines.repository import CostSeries, Executions
from tidegate.pipelines.service import engine
from tidegate.pipelines.service.ports import (
    Account,
    CostFile,
    CostPage,
    RefreshView,
    RunStatus,
    RunView,
)
from tidegate.pipelines.service.runs import Runs
from tidegate.pipelines.service.work import Parts
from tidegate.pipelines.stages import WORKS
from tidegate_kit.budgets import Budgets, BudgetStore
from tidegate_kit.clock import FixedClock
from tidegate_kit.errors import PolicyDenied
from tidegate_kit.ids import new_id

from tests.fakes.budgets import MemoryBudgets
from tests.fakes.pipelines import MemoryCostSeries, MemoryExecutions

ONE, TWO = "111111111111", "222222222222"
START = datetime(2026, 3, 10, 4, 0, tzinfo=UTC)


def accounts(*numbers: str) -> list[Account]:
    """Connected accounts."""
    return [Account(f"onboarding-{number}", number, ("eu-west-1",)) for number in numbers]


@dataclass
class World:
    """One tenant, his doubles, and what they were asked."""

    executions: Executions
    costs: CostSeries
    budget_store: BudgetStore
    tenant_id: str = "tenant"
    clock: FixedClock = field(default_factory=lambda: FixedClock(START))
    connected_accounts: list[Account] = field(default_factory=lambda: accounts(ONE, TWO))
    launched: list[str] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    # discovery: what each account's run ends as, and runs by account
    ends: dict[str, RunStatus] = field(default_factory=dict)
    discoveries: dict[str, list[str]] = field(default_factory=dict)
    busy: set[str] = field(default_factory=set)
    # cost explorer: pages an account, denied accounts, calls made
    daily: str = "1.50"
    pages: int = 1
    denied: dict[str, str] = field(default_factory=dict)
    failing: dict[str, Exception] = field(default_factory=dict)
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    forbidden: set[str] = field(default_factory=set)
    # files, findings, lab
    uploaded: dict[str, tuple[str, str]] = field(default_factory=dict)
    refreshes: list[str] = field(default_factory=list)
    measured: list[date] = field(default_factory=list)
    retrained: list[str] = field(default_factory=list)

    def connected(self) -> list[Account]:
        return list(self.connected_accounts)

    def start(self, account: Account, run_id: str) -> None:
        if account.account_id in self.busy:
            raise DiscoveryRunning
        known = self.discoveries.setdefault(account.account_id, [])
        if run_id not in known:
            known.append(run_id)

    def view(self, account: Account) -> RunView | None:
        known = self.discoveries.get(account.account_id, [])
        if account.account_id in self.busy:
            return RunView("somebody-elses", "running", 0, ())
        if not known:
            return None
        status = self.ends.get(account.account_id, "completed")
        gaps = ("ec2 in eu-west-1 denied",) if status == "completed_with_gaps" else ()
        return RunView(known[-1], status, 7, gaps)

    def page(self, account: Account, start: date, end: date, token: str | None) -> CostPage:
        self.asked.append((account.account_id, token))
        if account.account_id in self.denied:
            raise AccountDenied(self.denied[account.account_id])
        if account.account_id in self.failing:
            raise self.failing[account.account_id]
        place = int(token or 0)
        line = CostLine(f"service-{place}", "usage")
        count = (end - start).days
        days = {start + timedelta(days=n): {line: Decimal(self.daily)} for n in range(count)}
        following = str(place + 1) if place + 1 < self.pages else None
        return CostPage(days, following)

    def all(self) -> list[CostFile]:
        return [
            CostFile(name, tag, len(text)) for name, (tag, text) in sorted(self.uploaded.items())
        ]

    def lines(self, name: str) -> Iterator[str]:
        return iter(self.uploaded[name][1].splitlines(keepends=True))

    def refresh(self, refresh_id: str, trigger: str) -> None:
        if refresh_id not in self.refreshes:
            self.refreshes.append(refresh_id)

    def refreshed(self, refresh_id: str) -> RefreshView | None:
        return RefreshView(False, ()) if refresh_id in self.refreshes else None

    def measure_savings(self, day: date) -> int:
        self.measured.append(day)
        return 3

    def retrain(self, trigger: str) -> Sequence[str]:
        if trigger not in self.retrained:
            self.retrained.append(trigger)
        return ["run-1", "run-2"]

    @property
    def runs(self) -> Runs:
        """The tenant's runs."""
        return Runs(
            self.tenant_id,
            self.executions,
            lambda execution: self.launched.append(execution.id),
            self.stopped.append,
            self.permit,
            self.clock,
        )

    def permit(self, name: PipelineName) -> None:
        """The policies: they deny what is in `forbidden`."""
        if name in self.forbidden:
            raise PolicyDenied

    def parts(self, has_time: Callable[[], bool] = lambda: True) -> Parts:
        """The parts of the stages."""

        def start(name: PipelineName, execution_id: str) -> object:
            return self.runs.start(name, execution_id, "event")

        return Parts(
            tenant_id=self.tenant_id,
            executions=self.executions,
            costs=self.costs,
            budgets=Budgets(self.budget_store, self.clock, new_id),
            accounts=self,
            discovery=self,
            explorer=self,
            files=self,
            findings=self,
            lab=self,
            start=start,
            clock=self.clock,
            has_time=has_time,
        )

    def run(
        self,
        name: PipelineName,
        parameters: Mapping[str, object] | None = None,
        execution_id: str | None = None,
    ) -> Execution:
        """A whole execution, as the machine drives it; it may wait 20 times."""
        begun = self.runs.start(name, execution_id or new_id(), "api", dict(parameters or {}))
        return self.drive(begun.id)

    def drive(self, execution_id: str) -> Execution:
        """Go on with an execution to its end."""
        for _ in range(20):
            if engine.run(self.parts(), WORKS, execution_id) == "done":
                break
        found = self.executions.get(execution_id)
        assert found is not None
        return found


def memory_world() -> World:
    """A world on in-memory twins."""
    return World(MemoryExecutions(), MemoryCostSeries(), MemoryBudgets().of("tenant"))
