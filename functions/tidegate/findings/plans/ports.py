"""What plans need of other domains, as protocols; wiring gives the real ones."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from tidegate_kit.dynamo import Transaction

from tidegate.findings.plans.domain import Plan, PlanItem
from tidegate.findings.plans.executor import Workshop
from tidegate.governance.public import (
    Approval,
    Decision,
    NewApproval,
    PolicyContext,
    PolicyPrincipal,
    PolicyResource,
)

Question = tuple[str, PolicyResource, PolicyContext]


class Governance(Protocol):
    """Policies and approvals of one tenant."""

    def decide(self, principal: PolicyPrincipal, questions: Sequence[Question]) -> list[Decision]:
        """One recorded decision for each question."""

    def add_approval(self, transaction: Transaction, new: NewApproval, now: datetime) -> None:
        """Add a pending approval to the transaction."""

    def approval(self, approval_id: str) -> Approval:
        """The approval as it is now. Raises NotFound."""

    def close_approval(self, approval_id: str, by: str) -> None:
        """Close it as cancelled; a closed one stays as it is."""


class Accounts(Protocol):
    """The tenant's connected accounts."""

    def allows(self, item: PlanItem) -> bool:
        """True while the item's account is connected for remediation."""

    def present(self, item: PlanItem) -> bool:
        """False once the item's account was disconnected."""

    def __call__(self, item: PlanItem) -> Workshop:
        """Enter an item's account. Raises AccessDeniedByAccount."""


class Machines(Protocol):
    """The state machine that carries out runs."""

    def start(self, plan: Plan) -> None:
        """Start the plan's run; again does nothing. Raises ServiceUnavailable."""

    def ended(self, run_id: str) -> bool:
        """True when the run's machine is over, however."""
