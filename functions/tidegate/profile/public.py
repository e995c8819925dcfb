"""What other domains may ask of profile."""

from __future__ import annotations

from tidegate_kit.tenancy import UserScope

from tidegate.profile.fields import DEFAULT_MODEL, TASKS
from tidegate.profile.repository import DynamoUserDocuments

__all__ = ["TASKS", "model_of_task"]


def model_of_task(scope: UserScope, task: str) -> str | None:
    """The model that a user has chosen for a task; None for a task that has no setting.

    Raises ServiceUnavailable.
    """
    if task not in TASKS:
        return None
    stored = DynamoUserDocuments(scope).read("SETTINGS").values.get(f"{task}_model")
    return DEFAULT_MODEL if stored is None else str(stored)
