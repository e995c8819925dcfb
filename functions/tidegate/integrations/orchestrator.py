"""Builds what starts communications. Apart from `wiring`, which steps of workflows import too."""

from __future__ import annotations

from tidegate_kit.http import Call
from tidegate_kit.ids import id_from, new_id

from tidegate.integrations.service.communications import (
    DEFINITION,
    CommunicationService,
    Planned,
    Wish,
)
from tidegate.integrations.wiring import channels_of, targets_for
from tidegate.workflows.public.orchestration import PlatformWorkflow, Run, StartedRun, start_run

COMMUNICATIONS = PlatformWorkflow(
    key="communications",
    name="Communications",
    description="Sends messages to communication targets; made by the platform.",
    definition=DEFINITION,
)


def initiate(call: Call, wish: Wish) -> tuple[StartedRun, Planned]:
    """Store the execution that sends; sending goes on after the answer (INT-4).

    Raises Unprocessable, IntegrationRequired, NoTargets, PolicyDenied.
    """
    # Here, because the other routes of the function decide nothing.
    from tidegate.governance import public as governance

    principal = call.principal
    service = CommunicationService(targets_for(call), channels_of(principal.user))
    planned = service.plan(wish)
    resource = governance.PolicyResource(arn="communications", type="communication")
    governance.permit(
        principal.tenant,
        governance.policy_principal(principal),
        "communication.send",
        resource,
        clock=lambda: call.now,
    )
    # The same call again is the same execution, also when the first one died half-way.
    execution_id = id_from(call.effect_key) if call.effect_key else new_id()
    run = Run(execution_id, principal.user_id, planned.outgoing.as_input(), call.request_id)
    return start_run(principal.tenant, COMMUNICATIONS, run), planned
