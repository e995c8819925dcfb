"""Opens approvals for approval nodes."""

from __future__ import annotations

from datetime import timedelta

from tidegate_kit.clock import Clock

from tidegate.workflows.domain import Approval, Execution, content_hash
from tidegate.workflows.identifiers import id_from
from tidegate.workflows.nodes.ports import ApprovalRequest
from tidegate.workflows.repository.approvals import ApprovalStore


def approval_id_of(execution_id: str, step_id: str) -> str:
    """The id of a step's approval: every try of the step opens the same one."""
    return id_from(f"approval/{execution_id}/{step_id}")


class StepApprovals:
    """Approvals port of one step."""

    def __init__(
        self, store: ApprovalStore, execution: Execution, step_id: str, clock: Clock
    ) -> None:
        self._store = store
        self._execution = execution
        self._step_id = step_id
        self._clock = clock

    def open(self, request: ApprovalRequest, *, task_token: str, effect_key: str) -> str:
        """Store the approval, bound to what it approves (GOV-4)."""
        now = self._clock()
        execution = self._execution
        subject = {
            "execution_id": execution.id,
            "workflow_id": execution.workflow_id,
            "workflow_version": execution.workflow_version,
            "input": execution.input.sha256,
            "step_id": self._step_id,
            "title": request.title,
            "description": request.description,
            "approver_role": request.approver_role,
            "approvers": list(request.approvers),
            "quorum": request.quorum,
        }
        approval = Approval(
            id=approval_id_of(execution.id, self._step_id),
            execution_id=execution.id,
            workflow_id=execution.workflow_id,
            step_id=self._step_id,
            subject_hash=content_hash(subject),
            title=request.title,
            description=request.description,
            requested_by=execution.principal,
            requested_at=now,
            quorum=request.quorum,
            approver_role=request.approver_role,
            approvers=request.approvers,
            expires_at=now + timedelta(seconds=request.expires_in_seconds),
            task_token=task_token,
        )
        return self._store.open(approval).id
