"""Settings of the governance function."""

from __future__ import annotations

from tidegate.workflows.public.governance import WorkflowsSettings


class GovernanceSettings(WorkflowsSettings):
    """What deciding on a workflow's step needs."""
