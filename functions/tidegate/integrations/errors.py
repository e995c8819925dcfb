"""Errors of the integrations domain (contract 2.4)."""

from __future__ import annotations

from tidegate_kit.errors import Conflict, NotFound


class ChangedMeanwhile(Conflict):
    message = "The record was changed at the same moment. Read it and try again."


class UnknownSecret(NotFound):
    message = "There is no secret of this name."
