"""Builds the services of plans on this deployment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from tidegate_kit.clock import Clock, system_clock
from tidegate_kit.dynamo import Transaction
from tidegate_kit.ids import new_id
from tidegate_kit.settings import settings_of
from tidegate_kit.tenancy import TenantScope

from tidegate.findings.plans.account import ConnectedAccounts
from tidegate.findings.plans.machine import StepFunctions
from tidegate.findings.plans.ports import Question
from tidegate.findings.plans.repository import DynamoPlans
from tidegate.findings.plans.runs import Runs
from tidegate.findings.plans.service import PlanService
from tidegate.findings.plans.settings import PlanSettings
from tidegate.findings.wiring import findings_of
from tidegate.governance import public as governance
from tidegate.governance.public import Approval, Decision, NewApproval, PolicyPrincipal


@dataclass(frozen=True)
class TenantGovernance:
    """ports.Governance through governance's public functions."""

    scope: TenantScope
    clock: Clock

    def decide(self, principal: PolicyPrincipal, questions: Sequence[Question]) -> list[Decision]:
        """See ports.Governance."""
        return governance.decide_many(self.scope, principal, questions, clock=self.clock)

    def add_approval(self, transaction: Transaction, new: NewApproval, now: datetime) -> None:
        """See ports.Governance."""
        governance.add_approval(transaction, self.scope, new, now)

    def approval(self, approval_id: str) -> Approval:
        """See ports.Governance."""
        return governance.approval(self.scope, approval_id, clock=self.clock)

    def close_approval(self, approval_id: str, by: str) -> None:
        """See ports.Governance."""
        governance.close_approval(self.scope, approval_id, by=by, clock=self.clock)


def plan_service(scope: TenantScope, clock: Clock = system_clock) -> PlanService:
    """Plans of a tenant."""
    settings: PlanSettings = settings_of(PlanSettings)
    return PlanService(
        plans=DynamoPlans(scope),
        findings=findings_of(scope),
        governance=TenantGovernance(scope, clock),
        accounts=ConnectedAccounts(settings, scope),
        machines=StepFunctions(settings.plan_machine_arn, settings.aws_region, scope.tenant_id),
        clock=clock,
        ids=new_id,
    )


def runs_of(scope: TenantScope, clock: Clock = system_clock) -> Runs:
    """Runs of a tenant's plans."""
    settings: PlanSettings = settings_of(PlanSettings)
    return Runs(
        plans=DynamoPlans(scope),
        findings=findings_of(scope),
        accounts=ConnectedAccounts(settings, scope),
        machines=StepFunctions(settings.plan_machine_arn, settings.aws_region, scope.tenant_id),
        clock=clock,
    )
