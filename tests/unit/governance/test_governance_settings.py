"""Settings of governance and of what it calls."""

from __future__ import annotations

from tidegate.governance.settings import GovernanceSettings
from tidegate.workflows.settings import WorkflowsSettings


def test_the_routes_demand_what_workflows_require() -> None:
    """A missing one stops the start, not the first decision on a step."""
    own = GovernanceSettings.model_fields
    for name, field in WorkflowsSettings.model_fields.items():
        assert not field.is_required() or own[name].is_required(), name
