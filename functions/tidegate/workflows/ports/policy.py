"""Whether a workflow may start, and an effect may happen now: policies decide (GOV-1, WF-16)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tidegate_kit.clock import Clock
from tidegate_kit.tenancy import TenantScope

from tidegate.workflows.domain import Execution, Workflow
from tidegate.workflows.nodes import StepError
from tidegate.workflows.nodes.ports import AwsCall
from tidegate.workflows.repository.ledger import Ledger
from tidegate.workflows.service.creating import Start
from tidegate.workflows.service.definitions import Definitions
from tidegate.workflows.service.policy import must_be_approved

if TYPE_CHECKING:
    from tidegate.discovery.public import Resource

# No action of FND-12; whoever may stop an instance may start it.
_ASKED_AS: Final = {"ec2.start_instance": "ec2.stop_instance"}


@dataclass(frozen=True)
class StartPolicy:
    """Asks in the name of who starts a workflow, or owns its schedule or hook, as stored now."""

    scope: TenantScope
    clock: Clock

    def permit(self, wish: Start, workflow: Workflow) -> None:
        """Raise PolicyDenied unless policies allow `workflow.execute` on the workflow."""
        # Here, because most calls and steps start nothing and should not wait for the import.
        from tidegate.governance import public as governance

        resource = governance.PolicyResource(arn=workflow.id, type="workflow")
        principal = governance.member_principal(self.scope, wish.principal)
        governance.permit(self.scope, principal, "workflow.execute", resource, clock=self.clock)


@dataclass(frozen=True)
class StepPolicy:
    """Asks in the name of whoever started the execution or owns its schedule, as stored now."""

    scope: TenantScope
    definitions: Definitions
    ledger: Ledger
    clock: Clock

    def decide(self, execution: Execution, step_id: str, call: AwsCall) -> None:
        """Raise StepError POLICY_DENIED unless policies allow the call.

        Where they ask for approvals, approval nodes upstream of the step must have been approved,
        each by as many people as the policies want (GOV-2).
        """
        # Here, because most steps act on no account and should not wait for the import.
        from tidegate.governance import public as governance

        principal = governance.member_principal(self.scope, execution.principal)
        if principal is None:
            raise StepError("POLICY_DENIED", "Nobody is there to answer for the action.")
        action = _ASKED_AS.get(call.action, call.action)
        found = _found(self.scope, call)
        if found is None:
            text = "The resource is not in the inventory, so no policy can judge it."
            raise StepError("POLICY_DENIED", text)
        resource = governance.PolicyResource(
            arn=found.arn, type=found.type, region=found.region, account=found.account_id,
            tags=found.tags, reversible=True,
        )  # fmt: skip
        context = governance.PolicyContext()
        decision = governance.decide(
            self.scope, principal, action, resource, context, clock=self.clock
        )
        if decision.effect == "deny":
            raise StepError("POLICY_DENIED", "The policies do not allow the action.")
        if decision.effect == "require_approval":
            number = execution.workflow_version
            program = self.definitions.program(execution.workflow_id, number)
            must_be_approved(program, self.ledger, execution, step_id, decision.quorum)


def _found(scope: TenantScope, call: AwsCall) -> Resource | None:
    """The resource as the inventory has it: policies look at its type and tags."""
    from tidegate.discovery import public as discovery

    wanted = discovery.ResourceFilters(account_id=call.account_id, q=call.resource_arn)
    rows, _, _ = discovery.list_resources(scope, wanted, 0, 100)
    return next((row for row in rows if row.arn == call.resource_arn), None)
