"""The registered importers, the one whose word comes first in front."""

from __future__ import annotations

from tidegate.findings.recommendations import (
    compute_optimizer,
    cost_optimization_hub,
    trusted_advisor,
)
from tidegate.findings.recommendations.source import Source

# The Hub repeats what Compute Optimizer says, and Trusted Advisor what the Hub says.
SOURCES: tuple[Source, ...] = (
    *compute_optimizer.SOURCES,
    *cost_optimization_hub.SOURCES,
    *trusted_advisor.SOURCES,
)


def service_actions() -> dict[str, tuple[str, ...]]:
    """The IAM actions that reading a service's recommendations needs, sorted, by service."""
    found: dict[str, set[str]] = {}
    for source in SOURCES:
        found.setdefault(source.service, set()).update(source.actions)
    return {service: tuple(sorted(actions)) for service, actions in found.items()}


def declared_actions() -> tuple[str, ...]:
    """Every IAM action that reading recommendations needs, sorted."""
    return tuple(sorted({action for source in SOURCES for action in source.actions}))
