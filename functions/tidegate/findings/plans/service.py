"""Making, settling, executing, undoing and cancelling plans (FND-5 to FND-10)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from tidegate_kit.aws_session import AccessDeniedByAccount
from tidegate_kit.clock import Clock
from tidegate_kit.dynamo import ConditionFailed, Transaction
from tidegate_kit.errors import Detail, NotFound, ServiceUnavailable, Unprocessable
from tidegate_kit.ids import IdFactory
from tidegate_kit.observability import logger

from tidegate.discovery.public import ReadAgainFailed
from tidegate.findings.actions import ACTIONS, checked_parameters
from tidegate.findings.domain import Finding, Findings, Saving
from tidegate.findings.errors import FindingInPlan
from tidegate.findings.overlap import exclusive
from tidegate.findings.plans.approval import ask, expiry, must_be_bound, new_approval, strictest
from tidegate.findings.plans.domain import (
    RUNNING,
    WAITING,
    Entry,
    Person,
    Plan,
    PlanItem,
    PlanStatus,
    plan_hash,
)
from tidegate.findings.plans.errors import (
    FindingNotOpen,
    NotReversible,
    PlanAlreadyExecuted,
    PlanDrift,
    PlanExecuting,
    PlanExpired,
    PlanNotApproved,
    Superseded,
    TierInsufficient,
    UndoExpired,
)
from tidegate.findings.plans.ports import Accounts, Governance, Machines
from tidegate.findings.plans.repository import Plans
from tidegate.governance.public import Approval

START_AGAIN: Final = timedelta(minutes=5)  # when a run is looked after
RUN_MAY_LAST: Final = timedelta(hours=8)  # the machine's own limit is seven
_CLOSED: Final[Mapping[str, PlanStatus]] = {
    "approved": "approved",
    "rejected": "rejected",
    "expired": "expired",
    "cancelled": "cancelled",
}


@dataclass(frozen=True)
class PlanService:
    """The plans of one tenant."""

    plans: Plans
    findings: Findings
    governance: Governance
    accounts: Accounts
    machines: Machines
    clock: Clock
    ids: IdFactory

    # ------------------------------------------------------------------- making

    def create(
        self,
        finding_ids: Sequence[str],
        hours: int,
        person: Person,
        request_id: str | None,
        plan_id: str | None = None,
    ) -> Plan:
        """A plan of these findings' actions, approved or waiting for its approval.

        The same `plan_id` again gives the plan that was made. Raises NotFound, FindingInPlan,
        FindingNotOpen, TierInsufficient, PolicyDenied, Unprocessable; then nothing is stored.
        """
        made = None if plan_id is None else self._made(plan_id)
        if made is not None:
            return made
        # Whole milliseconds: the expiry is hashed as it is shown.
        now = self.clock()
        now = now.replace(microsecond=now.microsecond // 1000 * 1000)
        items = self._items(finding_ids)
        decisions = ask(self.governance, person, items)
        decision = strictest(decisions, items)
        expires_at = now + timedelta(hours=hours)
        waits = decision.effect == "require_approval"
        plan = Plan(
            id=plan_id or self.ids(),
            status="pending_approval" if waits else "approved",
            plan_hash=plan_hash(items, expires_at),
            items=items,
            decision=decision,
            created_by=person,
            created_at=now,
            expires_at=expires_at,
            approval_id=self.ids() if waits else None,
            due_at=expires_at,
            request_id=request_id,
        )
        writes = Transaction()
        self.plans.add(writes, plan)
        for item in items:
            self.findings.mark_planned(
                writes, item.finding_id, plan.id, now, fingerprint=item.fingerprint
            )
        if plan.approval_id is not None:
            until = expiry(decisions, expires_at, now)
            self.governance.add_approval(writes, new_approval(plan, plan.approval_id, until), now)
        try:
            writes.commit()
        except ConditionFailed as lost:
            raise FindingInPlan from lost
        return plan

    def _made(self, plan_id: str) -> Plan | None:
        try:
            return self.plans.get(plan_id)
        except NotFound:
            return None

    def _items(self, finding_ids: Sequence[str]) -> tuple[PlanItem, ...]:
        if len(set(finding_ids)) != len(finding_ids):
            raise Unprocessable(details=[Detail("finding_ids", "names a finding twice")])
        known = self.findings.get_many(finding_ids)
        if len(known) != len(finding_ids):
            raise NotFound
        chosen = [known[finding_id] for finding_id in finding_ids]
        for place, finding in enumerate(chosen):
            if finding.status == "planned":
                raise FindingInPlan
            if finding.status != "open":
                raise FindingNotOpen(details=[Detail(f"finding_ids.{place}", "is not open")])
        items = tuple(self._item(place, finding) for place, finding in enumerate(chosen))
        if len({item.arn for item in items}) != len(items) or exclusive(chosen):
            text = "two findings are about one resource: plan them one after the other"
            raise Unprocessable(details=[Detail("finding_ids", text)])
        if not all(self.accounts.allows(item) for item in items):
            raise TierInsufficient
        return items

    def _item(self, place: int, finding: Finding) -> PlanItem:
        field = f"finding_ids.{place}"
        if finding.action is None:
            raise Unprocessable(details=[Detail(field, "has no action")])
        try:
            parameters = checked_parameters(finding.action.id, finding.action.parameters)
        except ValueError as error:
            text = "has an action that cannot be carried out"
            raise Unprocessable(details=[Detail(field, text)], log=str(error)) from error
        action = ACTIONS[finding.action.id]
        if finding.resource.type not in action.types:
            raise Unprocessable(details=[Detail(field, "has an action of another resource type")])
        return PlanItem(
            id=self.ids(),
            finding_id=finding.id,
            check_id=finding.check_id,
            account_id=finding.account_id,
            onboarding_id=finding.onboarding_id,
            region=finding.region,
            arn=finding.resource.arn,
            type=finding.resource.type,
            tags=dict(finding.resource.tags),
            fingerprint=finding.fingerprint,
            action=action.id,
            parameters=parameters,
            price=price_of(finding.saving),
            reversible=action.reversible,
        )

    # ------------------------------------------------------------------ reading

    def get(self, plan_id: str) -> tuple[Plan, dict[str, Entry]]:
        """A plan with its status of now, and its journal. Raises NotFound."""
        plan = self.plans.get(plan_id)
        if not self._visible(plan):
            raise NotFound
        return replace(plan, status=self._status(plan)), self.plans.entries(plan)

    def _visible(self, plan: Plan) -> bool:
        """Open plans go with their account; what was done stays to be read (CLI-2)."""
        return plan.status not in WAITING or all(map(self.accounts.present, plan.items))

    def page(
        self, skip: int, limit: int, start: Mapping[str, Any] | None
    ) -> tuple[list[tuple[Plan, dict[str, Entry]]], int, dict[str, Any] | None]:
        """Plans with their journals, newest first: rows, total, next key."""
        rows, total, next_key = self.plans.page(skip, limit, start, self._visible)
        hidden = sum(1 for plan in self.plans.waiting() if not self._visible(plan))
        shown = [
            (replace(plan, status=self._status(plan)), self.plans.entries(plan)) for plan in rows
        ]
        return shown, total - hidden, next_key

    def _status(self, plan: Plan) -> PlanStatus:
        """The status now: expiry and approval hold before anybody has written them down."""
        if plan.status not in WAITING:
            return plan.status
        if plan.status == "pending_approval":
            approval = self._approval(plan)
            closed = "expired" if approval is None else approval.status
            if closed in _CLOSED and closed != "approved":
                return _CLOSED[closed]
            if self.clock() >= plan.expires_at:
                return "expired"
            return "approved" if closed == "approved" else plan.status
        return "expired" if self.clock() >= plan.expires_at else plan.status

    def _approval(self, plan: Plan) -> Approval | None:
        if plan.approval_id is None:
            return None
        try:
            return self.governance.approval(plan.approval_id)
        except NotFound:
            return None

    def settle(self, plan_id: str) -> Plan:
        """Write down what has become of a waiting plan; its findings are free when it is over."""
        plan = self.plans.get(plan_id)
        status = self._status(plan)
        if status == plan.status:
            return plan
        return self._close(plan, status)

    def _settled(self, plan_id: str) -> Plan:
        plan = self.settle(plan_id)
        if not self._visible(plan):
            raise NotFound
        return plan

    def _close(self, plan: Plan, status: PlanStatus) -> Plan:
        now = self.clock()
        after = replace(plan, status=status, due_at=None if status != "approved" else plan.due_at)
        writes = Transaction()
        if status != "approved":
            for item in plan.items:
                self.findings.release(writes, item.finding_id, plan.id, now)
        try:
            return self.plans.change(plan, after, now, tx=writes)
        except Superseded:
            return self.plans.get(plan.id)

    # ------------------------------------------------------------------ running

    def execute(self, plan_id: str, by: str, run_id: str | None = None) -> Plan:
        """Check everything again, then start the run; the same `run_id` again is the same run.

        Raises NotFound, PlanNotApproved, PlanExpired, PlanDrift, PlanAlreadyExecuted, PolicyDenied,
        TierInsufficient, ServiceUnavailable.
        """
        plan = self._settled(plan_id)
        if run_id is not None and plan.execution_id == run_id:
            return plan
        _must_be_approved(plan)
        must_be_bound(plan, self._approval(plan))
        decisions = ask(self.governance, plan.created_by, plan.items)
        if plan.approval_id is None and strictest(decisions, plan.items).effect != "allow":
            raise PlanNotApproved
        if not all(self.accounts.allows(item) for item in plan.items):
            raise TierInsufficient
        drifting = [detail for item in plan.items if (detail := self._drift(item)) is not None]
        if drifting:
            raise PlanDrift(details=drifting)
        now, run_id = self.clock(), run_id or self.ids()
        after = replace(
            plan, status="executing", execution_id=run_id, executed_by=by, executed_at=now
        )
        return self._run(plan, self._started(after, run_id, now), PlanAlreadyExecuted())

    def _drift(self, item: PlanItem) -> Detail | None:
        field = f"items.{item.id}"
        try:
            found = self.accounts(item).read(item.ref, self.clock())
        except AccessDeniedByAccount:
            return Detail(field, "cannot be read: the account refuses our role")
        except ReadAgainFailed as failed:
            if failed.retryable:
                raise ServiceUnavailable(log=failed.reason) from failed
            return Detail(field, f"cannot be read: {failed.reason}")
        if found is None:
            return Detail(field, "is gone")
        return None if found.fingerprint == item.fingerprint else Detail(field, "has changed")

    @staticmethod
    def _started(plan: Plan, run_id: str, now: datetime) -> Plan:
        return replace(
            plan, run_id=run_id, run_deadline_at=now + RUN_MAY_LAST, due_at=now + START_AGAIN
        )

    def _run(self, before: Plan, after: Plan, lost: Exception) -> Plan:
        try:
            stored = self.plans.change(before, after, self.clock())
        except Superseded as error:
            raise lost from error
        try:
            self.machines.start(stored)
        except ServiceUnavailable as error:
            # The run is stored: the sweep starts it.
            logger.warning("a run is left to the sweep", plan_id=stored.id, cause=error.log)
        return stored

    def undo(
        self, plan_id: str, item_ids: Sequence[str] | None, by: str, run_id: str | None = None
    ) -> Plan:
        """Start undoing items of an executed plan, or all that can be undone.

        Raises NotFound, PlanExecuting, NotReversible, UndoExpired, Unprocessable.
        """
        plan = self.plans.get(plan_id)
        if run_id is not None and plan.run_id == run_id:
            return plan
        if plan.status in RUNNING:
            raise PlanExecuting
        chosen = self._undoable(plan, self.plans.entries(plan), item_ids)
        now, run_id = self.clock(), run_id or self.ids()
        after = replace(plan, status="undoing", undo_items=tuple(chosen), undone_by=by)
        return self._run(plan, self._started(after, run_id, now), PlanExecuting())

    def _undoable(
        self, plan: Plan, entries: Mapping[str, Entry], item_ids: Sequence[str] | None
    ) -> list[str]:
        wanted = list(dict.fromkeys(item_ids)) if item_ids else [item.id for item in plan.items]
        if any(plan.item(item_id) is None for item_id in wanted):
            raise Unprocessable(details=[Detail("item_ids", "names an item of another plan")])
        done = [
            item_id
            for item_id in wanted
            if ACTIONS[_known(plan, item_id).action].reversible
            and item_id in entries
            and entries[item_id].step == "done"
        ]
        if not done or (item_ids and len(done) != len(wanted)):
            raise NotReversible
        now = self.clock()
        open_ = [one for one in done if now <= (entries[one].undo_until or now)]
        if not open_ or (item_ids and len(open_) != len(done)):
            raise UndoExpired
        return open_

    def cancel(self, plan_id: str, by: str) -> Plan:
        """Cancel a plan that waits; one that is over stays as it is.

        Raises NotFound, PlanExecuting, PlanAlreadyExecuted.
        """
        plan = self._settled(plan_id)
        if plan.status in WAITING:
            plan = self._close(plan, "cancelled")
        if plan.status in RUNNING:
            raise PlanExecuting
        if plan.executed_at is not None:
            raise PlanAlreadyExecuted
        if plan.status == "cancelled" and plan.approval_id is not None:
            self.governance.close_approval(plan.approval_id, by)
        return plan


def _must_be_approved(plan: Plan) -> None:
    if plan.status == "expired":
        raise PlanExpired
    if plan.status in ("pending_approval", "rejected", "cancelled"):
        raise PlanNotApproved
    if plan.status != "approved":
        raise PlanAlreadyExecuted


def _known(plan: Plan, item_id: str) -> PlanItem:
    found = plan.item(item_id)
    if found is None:
        raise NotFound
    return found


def price_of(saving: Saving) -> dict[str, Any]:
    """A saving as it is hashed and shown: decimals as text."""
    return {
        "monthly": _text(saving.monthly),
        "currency": saving.currency,
        "formula": saving.formula,
        "confidence": saving.confidence,
        "quantities": [
            {"name": one.name, "value": str(one.value), "unit": one.unit}
            for one in saving.quantities
        ],
        "prices": [
            {
                "name": one.name,
                "unit_price": _text(one.unit_price),
                "unit": one.unit,
                "source": one.source,
                "date": one.date,
            }
            for one in saving.prices
        ],
    }


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else str(amount)
