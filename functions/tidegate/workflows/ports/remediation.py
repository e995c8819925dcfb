"""aws_action through the executor of plans: one journal, one way to act and to undo (FND-12)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tidegate_kit.aws_session import AccessDeniedByAccount
from tidegate_kit.clock import Clock, iso
from tidegate_kit.errors import NotFound, ServiceUnavailable
from tidegate_kit.settings import Settings
from tidegate_kit.tenancy import TenantScope

from tidegate.workflows.nodes import StepError
from tidegate.workflows.nodes.ports import AwsActions, AwsCall, AwsResult

OWN: Final = frozenset({"ec2.start_instance"})  # no action of FND-12


@dataclass(frozen=True)
class ExecutedActions:
    """AwsActions of one step. `decide` raises StepError unless policy lets the action happen.

    `own` carries out what is no action of plans.
    """

    settings: Settings
    scope: TenantScope
    decide: Callable[[AwsCall], None]
    own: AwsActions
    clock: Clock

    def act(self, call: AwsCall, *, effect_key: str) -> AwsResult:
        """Decide, then hand over; a second call with the key goes on with the same action."""
        if call.action in OWN:
            return self.own.act(call, effect_key=effect_key)
        # Here, because most steps act on no account and should not wait for the import.
        from tidegate.findings import public as findings

        request = findings.ActionRequest(
            call.account_id, call.region, call.action, call.resource_arn, call.parameters
        )
        try:
            findings.type_of(call.action, call.resource_arn)
            self.decide(call)
            done = findings.execute_action(
                self.settings, self.scope, request, effect_key=effect_key, clock=self.clock
            )
        except findings.InvalidAction as error:
            text = "The resource is not one that this action acts on with these parameters."
            raise StepError("INVALID_DATA", text) from error
        except NotFound as error:
            text = "The account is not connected for remediation."
            raise StepError("ACCOUNT_NOT_CONNECTED", text) from error
        except AccessDeniedByAccount as error:
            raise StepError("ACCESS_LOST", "The account refuses our role.") from error
        except (ServiceUnavailable, findings.TryAgain) as error:
            text = "The account could not be reached."
            raise StepError("ACCOUNT_UNREACHABLE", text, retryable=True) from error
        if done.code is not None:
            raise StepError(done.code, str(done.message))
        if not done.settled and not done.result:
            text = "AWS is still preparing the action. Try again."
            raise StepError("STILL_PREPARING", text, retryable=True)
        result = {"resource": call.resource_arn.rpartition("/")[2], **done.result}
        until = None if done.undo_until is None else iso(done.undo_until)
        return AwsResult(done.action_id, result, until)
