"""Errors of the templates domain (contract 2.6)."""

from __future__ import annotations

from tidegate_kit.errors import Conflict, Unprocessable


class MissingParameter(Unprocessable):
    code = "MISSING_PARAMETER"
    message = "Parameter values are missing or of the wrong type."


class ChangedMeanwhile(Conflict):
    message = "The template was changed at the same moment. Read it and try again."
