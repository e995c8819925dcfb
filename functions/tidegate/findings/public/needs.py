"""The IAM actions that checks and remediation need, for the permission doctor."""

from __future__ import annotations

from collections.abc import Mapping

from tidegate.findings.actions import ACTIONS
from tidegate.findings.actions.encryption import CREATE_GRANT, FOR_AWS, KEY_USES, VIA_EC2
from tidegate.findings.checks import CHECKS
from tidegate.findings.recommendations.registry import service_actions


def check_needs() -> dict[str, tuple[str, ...]]:
    """The IAM actions of every check, sorted, by `check:<check id>`."""
    return {f"check:{name}": check.required_actions for name, check in CHECKS.items()}


def action_needs() -> dict[str, tuple[str, ...]]:
    """The IAM actions of every action on resources (FND-12), sorted, by `action:<action id>`."""
    return {
        f"action:{name}": tuple(sorted({*one.iam_actions, *one.through}))
        for name, one in ACTIONS.items()
    }


def conditional_needs() -> dict[str, Mapping[str, Mapping[str, str]]]:
    """The IAM actions that a role is to be given under a condition alone, with the condition."""
    return {**dict.fromkeys(KEY_USES, VIA_EC2), CREATE_GRANT: {**VIA_EC2, **FOR_AWS}}


def advice_needs() -> dict[str, tuple[str, ...]]:
    """The IAM actions of reading AWS's own recommendations, sorted, by `recommendations:<service>`.

    Without them the checks go on, and say that AWS's recommendations are not known.
    """
    return {f"recommendations:{name}": actions for name, actions in service_actions().items()}
