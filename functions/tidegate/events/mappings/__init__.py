"""One pure function a table: from a change to the events that follow. The only place that knows
which changes other systems hear of."""

from __future__ import annotations

from tidegate.events.domain import Mapper
from tidegate.events.mappings.budgets import ai_events
from tidegate.events.mappings.discovery import discovery_events
from tidegate.events.mappings.findings import findings_events
from tidegate.events.mappings.governance import governance_events
from tidegate.events.mappings.identity import identity_events
from tidegate.events.mappings.integrations import integration_events
from tidegate.events.mappings.lab import lab_events
from tidegate.events.mappings.onboarding import onboarding_events
from tidegate.events.mappings.pipelines import pipeline_events
from tidegate.events.mappings.workflows import workflow_events

MAPPINGS: dict[str, Mapper] = {
    "identity": identity_events,
    "onboarding": onboarding_events,
    "discovery": discovery_events,
    "findings": findings_events,
    "workflows": workflow_events,
    "integrations": integration_events,
    "governance": governance_events,
    "lab": lab_events,
    "pipelines": pipeline_events,
    "ai": ai_events,
}
