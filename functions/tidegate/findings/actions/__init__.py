"""The registered actions of FND-12: one class each, and the look-ups over them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from tidegate.findings.actions.base import (
    MARK,
    UNDO_HOURS,
    Account,
    Action,
    ActionRefused,
    Job,
    Phase,
)
from tidegate.findings.actions.capacity import SetCapacity, SetMemory
from tidegate.findings.actions.ec2_instances import CreateTags, StopInstance
from tidegate.findings.actions.ec2_volumes import DeleteVolume, ModifyVolume
from tidegate.findings.actions.rds import ModifyStorage, StopDbInstance
from tidegate.findings.actions.removals import (
    DeleteLoadBalancer,
    DeleteNatGateway,
    DeleteSnapshot,
    DeleteVpcEndpoint,
    DeregisterImage,
    ReleaseAddress,
)
from tidegate.findings.actions.storage import (
    AbortMultipart,
    PutEcrLifecycle,
    PutLifecycle,
    PutRetention,
)

ACTIONS: Mapping[str, Action] = {
    action.id: action
    for action in (
        DeleteVolume(),
        ModifyVolume(),
        StopInstance(),
        CreateTags(),
        StopDbInstance(),
        ModifyStorage(),
        SetMemory(),
        SetCapacity(),
        PutRetention(),
        PutLifecycle(),
        AbortMultipart(),
        ReleaseAddress(),
        DeleteSnapshot(),
        DeregisterImage(),
        DeleteNatGateway(),
        DeleteVpcEndpoint(),
        DeleteLoadBalancer(),
        PutEcrLifecycle(),
    )
}

__all__ = [
    "ACTIONS",
    "MARK",
    "UNDO_HOURS",
    "Account",
    "Action",
    "ActionRefused",
    "Job",
    "Phase",
    "checked_parameters",
    "declared_actions",
]


def checked_parameters(action_id: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters of an action as they are approved and carried out: checked, defaults filled in.

    Raises ValueError for an unknown action or parameters that are not its own.
    """
    if action_id not in ACTIONS:
        raise ValueError(f"{action_id!r} is not an action")
    try:
        checked = ACTIONS[action_id].parameters.model_validate(dict(given))
    except ValidationError as error:
        fields = sorted({".".join(map(str, one["loc"])) or "parameters" for one in error.errors()})
        raise ValueError(f"{action_id}: {', '.join(fields)}") from error
    return checked.model_dump(exclude_none=True)


def declared_actions() -> frozenset[str]:
    """Every IAM action that remediation may call, besides reading the inventory."""
    return frozenset(name for action in ACTIONS.values() for name in action.iam_actions)
