"""Errors of findings."""

from __future__ import annotations

from tidegate_kit.errors import Conflict


class RefreshRunning(Conflict):
    """Another refresh of this tenant is going on."""

    code = "REFRESH_RUNNING"
    message = "A refresh is running. Wait for it to end."


class ExceptionExists(Conflict):
    """The finding is under an exception already."""

    code = "EXCEPTION_EXISTS"
    message = "This check and resource are under an exception already."


class FindingInPlan(Conflict):
    """The finding is not open: planned, excepted, resolved, or changed meanwhile."""

    code = "FINDING_IN_PLAN"
    message = "A finding is not open any more, or is part of another plan."


class ChangedMeanwhile(Exception):
    """A finding is not as it was read: read again."""


class RefreshGone(LookupError):
    """A task names a refresh that this tenant does not have: a foreign or forged message (G21)."""


class Superseded(Exception):
    """Another worker has written this step: read again and go on from there."""
