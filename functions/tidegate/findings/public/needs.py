"""The IAM actions that checks and remediation need, for the permission doctor."""

from __future__ import annotations

from tidegate.findings.actions import ACTIONS
from tidegate.findings.checks import CHECKS


def check_needs() -> dict[str, tuple[str, ...]]:
    """The IAM actions of every check, sorted, by `check:<check id>`."""
    return {f"check:{name}": check.required_actions for name, check in CHECKS.items()}


def action_needs() -> dict[str, tuple[str, ...]]:
    """The IAM actions of every action on resources (FND-12), sorted, by `action:<action id>`."""
    return {f"action:{name}": tuple(sorted(one.iam_actions)) for name, one in ACTIONS.items()}
