"""Errors of the profile domain (contract 2.2)."""

from __future__ import annotations

from tidegate_kit.errors import Conflict, Detail


class UsernameTaken(Conflict):
    message = "Another account has this username."

    def __init__(self) -> None:
        super().__init__(details=[Detail("username", "is taken")])


class ChangedMeanwhile(Conflict):
    message = "This was changed by another call at the same moment. Read it and try again."
