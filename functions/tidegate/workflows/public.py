"""What other domains may use of workflows."""

from __future__ import annotations

from tidegate.workflows.answers import workflow_fields
from tidegate.workflows.schemas import IssueModel, WorkflowModel
from tidegate.workflows.service.creation import CreationSettings, add_workflow

__all__ = ["CreationSettings", "IssueModel", "WorkflowModel", "add_workflow", "workflow_fields"]
