"""Settings of the templates function."""

from __future__ import annotations

from tidegate.workflows.public import WorkflowDataSettings


class TemplatesSettings(WorkflowDataSettings):
    """What the workflows domain needs: instantiating creates a workflow in one transaction."""
