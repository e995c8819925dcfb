"""Writing to communication targets."""

from __future__ import annotations

from tidegate_kit.errors import PolicyDenied
from tidegate_kit.http import CurrentCall

from tidegate.integrations.errors import IntegrationRequired, NoTargets
from tidegate.integrations.orchestrator import initiate
from tidegate.integrations.routes.router import router
from tidegate.integrations.schemas import Initiated, InitiateRequest, SkippedTarget
from tidegate.integrations.service.communications import Wish


@router.post(
    "/user/orchestrator/initiate-communications",
    permission="communication:send",
    status=202,
    idempotent=True,
    errors=[PolicyDenied, IntegrationRequired, NoTargets],
)
def initiate_communications(body: InitiateRequest, call: CurrentCall) -> Initiated:
    """Start a workflow execution that writes to targets; answers before anything is sent."""
    wish = Wish(
        body.target_ids, body.channels, body.subject, body.message, body.template,
        body.variables or {},
    )  # fmt: skip
    started, planned = initiate(call, wish)
    return Initiated(
        execution_id=started.execution_id,
        workflow_id=started.workflow_id,
        status=started.status,
        started_at=started.started_at,
        target_count=planned.target_count,
        skipped=[
            SkippedTarget(target_id=one.target_id, reason=one.reason) for one in planned.skipped
        ],
    )
