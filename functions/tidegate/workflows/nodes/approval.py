"""approval: parks the execution until identified people decide (WF-7, GOV-4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from tidegate.workflows.nodes.base import Done, Handles, NodeData, NodeType, Pending
from tidegate.workflows.nodes.context import NodeContext
from tidegate.workflows.nodes.errors import StepError
from tidegate.workflows.nodes.fields import OPEN, ShortText, Text
from tidegate.workflows.nodes.ports import ApprovalRequest, needed

APPROVED, REJECTED = "approved", "rejected"


class ApprovalData(NodeData):
    """`expires_in_seconds` is fixed at save: it is the state's time-out (at most one year)."""

    title: Text
    description: Annotated[str, Field(max_length=2000)] | None = None
    approver_role: ShortText = "client"
    approvers: Annotated[list[ShortText], Field(min_length=1, max_length=50), OPEN] | None = None
    quorum: Annotated[int, Field(ge=1, le=50), OPEN] = 1
    expires_in_seconds: Annotated[int, Field(ge=1, le=31_536_000)] = 259_200


class ApprovalNode(NodeType[ApprovalData]):
    """Waits for its task token. A rejection takes `false`, and fails where that leads nowhere."""

    name = "approval"
    data_model = ApprovalData
    secrets_allowed = False

    def handles(self, data: Mapping[str, Any]) -> Handles:
        """`false` is optional (WF-7); the unnamed handle is the approved way, never a bypass."""
        return Handles(routes=("true", "false"), unnamed="true")

    def check(self, data: ApprovalData) -> list[tuple[str, str]]:
        """A quorum that the named approvers can reach."""
        known = isinstance(data.approvers, list) and isinstance(data.quorum, int)
        if known and data.quorum > len(set(data.approvers or ())):
            return [("quorum", "is larger than the number of approvers")]
        return []

    def sample(self, data: ApprovalData) -> Done:
        """Approved."""
        return Done(
            {
                "decision": APPROVED,
                "approval_id": "sample-approval-id",
                "decided_by": "sample-user-id",
                "comment": "",
            },
            "true",
        )

    def summary(self, data: ApprovalData) -> str:
        """Whom it asks."""
        return f"ask {data.quorum} of '{data.approver_role}' to approve: {data.title[:120]}"

    def run(self, context: NodeContext[ApprovalData]) -> Pending:
        """Opens the approval; the decision answers the task token."""
        data = context.data
        if context.task_token is None:
            raise StepError("INTERNAL_ERROR", "The approval has no task token.")
        request = ApprovalRequest(
            title=data.title,
            description=data.description or "",
            approver_role=data.approver_role,
            approvers=tuple(data.approvers or ()),
            quorum=data.quorum,
            expires_in_seconds=data.expires_in_seconds,
        )
        approvals = needed(context.ports.approvals, "approvals")
        approval_id = approvals.open(
            request, task_token=context.task_token, effect_key=context.effect_key
        )
        return Pending(approval_id)

    def finish(self, context: NodeContext[ApprovalData], answer: Mapping[str, Any]) -> Done:
        """`answer`: {decision, approval_id, decided_by, comment}; all but approved is false."""
        output = {key: answer.get(key) for key in ("decision", "approval_id", "decided_by")}
        output["comment"] = answer.get("comment") or ""
        return Done(output, "true" if answer.get("decision") == APPROVED else "false")
