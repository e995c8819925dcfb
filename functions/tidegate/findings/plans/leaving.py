"""Open plans of accounts that were disconnected: deleted with all that hangs on them (CLI-2)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tidegate_kit.clock import Clock
from tidegate_kit.dynamo import Transaction
from tidegate_kit.errors import NotFound, ServiceUnavailable

from tidegate.findings.domain import Findings
from tidegate.findings.plans.domain import WAITING, Plan, PlanItem
from tidegate.findings.plans.errors import Superseded
from tidegate.findings.plans.repository import Plans

_TRIES: Final = 5

CloseApproval = Callable[[str, str], None]
"""Closes an approval by id, in somebody's name; a closed or absent one stays as it is."""


@dataclass(frozen=True)
class LeavingPlans:
    """Deletes plans that wait. Reads hide them from the disconnect on, so nobody sees them go."""

    plans: Plans
    findings: Findings
    close_approval: CloseApproval
    clock: Clock

    def open(self, onboarding_id: str) -> list[Plan]:
        """Plans that wait and act on the account of a registration."""
        return [
            plan
            for plan in self.plans.waiting()
            if any(item.onboarding_id == onboarding_id for item in plan.items)
        ]

    def drop_all(self, onboarding_id: str, by: str) -> int:
        """Delete these plans; how many there were. Raises ServiceUnavailable: call again."""

        def gone(item: PlanItem) -> bool:
            return item.onboarding_id == onboarding_id

        return sum(self.drop(plan, gone, by) for plan in self.open(onboarding_id))

    def drop(self, plan: Plan, gone: Callable[[PlanItem], bool], by: str) -> bool:
        """Delete a plan unless it is over or running; its findings in other accounts are free.

        The approval is closed first: a plan that is still there brings whoever died here back.
        `by` is a user id or "system". Raises ServiceUnavailable: call again.
        """
        if plan.approval_id is not None:
            self.close_approval(plan.approval_id, by)
        for _ in range(_TRIES):
            try:
                return self._dropped(self.plans.get(plan.id), gone)
            except NotFound:
                return False
            except Superseded:
                continue
        raise ServiceUnavailable(log="a plan changes all the time")

    def _dropped(self, plan: Plan, gone: Callable[[PlanItem], bool]) -> bool:
        if plan.status not in WAITING:
            return False
        now, writes = self.clock(), Transaction()
        for item in plan.items:
            # Findings of the account itself are hidden and deleted with its inventory.
            if not gone(item):
                self.findings.release(writes, item.finding_id, plan.id, now)
        self.plans.drop(plan, now, tx=writes)
        return True
