"""Creating workflows from another domain's routes (imports FastAPI)."""

from __future__ import annotations

from tidegate.workflows.answers import workflow_fields
from tidegate.workflows.schemas import IssueModel, WorkflowModel
from tidegate.workflows.service.creation import add_workflow

__all__ = ["IssueModel", "WorkflowModel", "add_workflow", "workflow_fields"]
