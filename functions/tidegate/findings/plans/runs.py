"""The steps of a plan's run, as the state machine and the sweep call them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from tidegate_kit.clock import Clock
from tidegate_kit.dynamo import Transaction
from tidegate_kit.errors import ServiceUnavailable
from tidegate_kit.observability import logger

from tidegate.findings.domain import Findings
from tidegate.findings.plans.domain import (
    ENDED_STEPS,
    RUNNING,
    WAITING,
    Entry,
    Plan,
    PlanItem,
    outcome,
)
from tidegate.findings.plans.errors import Superseded
from tidegate.findings.plans.executor import Executor
from tidegate.findings.plans.leaving import LeavingPlans
from tidegate.findings.plans.ledger import LedgeredJournal
from tidegate.findings.plans.ports import Accounts, Machines
from tidegate.findings.plans.repository import Plans
from tidegate.findings.plans.service import START_AGAIN, PlanService

_SWEPT_AT_ONCE: Final = 100
_LONGEST_WAIT: Final = 300
_FREED = ("refused_drift", "failed", "undone")


@dataclass(frozen=True)
class Look:
    """How an item stands: over, or to be looked at again in so many seconds."""

    done: bool
    wait_seconds: int = 0


@dataclass(frozen=True)
class Runs:
    """Runs of one tenant's plans. A message of another run than the plan's own does nothing."""

    plans: Plans
    findings: Findings
    accounts: Accounts
    machines: Machines
    clock: Clock

    def begin(self, plan_id: str, run_id: str) -> list[str]:
        """The items of the run."""
        plan = self._mine(plan_id, run_id)
        return [] if plan is None else list(_items(plan))

    def item(self, plan_id: str, run_id: str, item_id: str) -> Look:
        """Bring one item on. Raises ServiceUnavailable, Superseded: call again."""
        plan = self._mine(plan_id, run_id)
        if plan is None or item_id not in _items(plan):
            return Look(done=True)
        item = plan.item(item_id)
        # What was approved is what is done, down to the byte, at every single step (FND-7, G27).
        if item is None or not plan.intact():
            logger.error("a plan is not what was hashed", plan_id=plan_id)
            return Look(done=True)
        executor = self._executor(plan)
        if plan.status == "undoing":
            entry = executor.step_back(plan.id, item, plan.created_at)
        else:
            entry = executor.advance(plan.id, item, plan.created_at)
        over = entry.step in ENDED_STEPS
        return Look(over, 0 if over else min(_LONGEST_WAIT, 2 ** min(entry.looks, 9)))

    def finish(self, plan_id: str, run_id: str) -> Plan | None:
        """End the run: items that are not over are given up; the plan's status says the rest."""
        plan = self._mine(plan_id, run_id)
        if plan is None:
            return None
        executor = self._executor(plan)
        for item in plan.items:
            if item.id in _items(plan):
                executor.give_up(plan.id, item, plan.created_at)
        entries = self.plans.entries(plan)
        status = outcome([entries.get(item.id, Entry(plan.id, item.id)) for item in plan.items])
        now = self.clock()
        writes = Transaction()
        for item in plan.items:
            if item.id in entries and entries[item.id].status in _FREED:
                self.findings.release(writes, item.finding_id, plan.id, now)
        after = replace(plan, status=status, due_at=None, undo_items=())
        return self.plans.change(plan, after, now, tx=writes)

    def sweep(self, service: PlanService) -> int:
        """Look at every plan that is due; how many there were."""
        due = self.plans.due(self.clock(), _SWEPT_AT_ONCE)
        for plan_id in due:
            try:
                self._look(service, self.plans.get(plan_id))
            except (ServiceUnavailable, Superseded) as error:
                # It stays due and comes again; the others must not wait for it.
                logger.warning("a plan was not swept", plan_id=plan_id, cause=repr(error))
        return len(due)

    def _look(self, service: PlanService, plan: Plan) -> None:
        if plan.status in WAITING and all(map(self.accounts.present, plan.items)):
            service.settle(plan.id)
            return
        if plan.status in WAITING:  # its account was disconnected; the cascade did not end
            self._leaving(service).drop(plan, self._gone, "system")
            return
        if plan.status not in RUNNING or plan.run_id is None or plan.run_deadline_at is None:
            return
        now = self.clock()
        if now >= plan.run_deadline_at or self.machines.ended(plan.run_id):
            self.finish(plan.id, plan.run_id)
            return
        self.machines.start(plan)
        self.plans.change(plan, replace(plan, due_at=now + START_AGAIN), now)

    def _leaving(self, service: PlanService) -> LeavingPlans:
        close = service.governance.close_approval
        return LeavingPlans(self.plans, self.findings, close, self.clock)

    def _gone(self, item: PlanItem) -> bool:
        return not self.accounts.present(item)

    def _mine(self, plan_id: str, run_id: str) -> Plan | None:
        plan = self.plans.get(plan_id)
        return plan if plan.status in RUNNING and plan.run_id == run_id else None

    def _executor(self, plan: Plan) -> Executor:
        return Executor(LedgeredJournal(self.plans, plan), self.accounts, self.clock)


def _items(plan: Plan) -> Sequence[str]:
    if plan.status == "undoing":
        return plan.undo_items
    return [item.id for item in plan.items]
