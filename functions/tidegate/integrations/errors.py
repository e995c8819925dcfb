"""Errors of the integrations domain (contract 2.4)."""

from __future__ import annotations

from tidegate_kit.errors import Conflict, NotFound, Unprocessable


class ChangedMeanwhile(Conflict):
    message = "The record was changed at the same moment. Read it and try again."


class UnknownSecret(NotFound):
    message = "There is no secret of this name."


class IntegrationRequired(Conflict):
    code = "INTEGRATION_REQUIRED"
    message = "No connected account sends by this channel. Connect one and try again."


class NoTargets(Unprocessable):
    code = "NO_TARGETS"
    message = "None of the targets can be written to by these channels."


class IntegrationTestFailed(Unprocessable):
    code = "INTEGRATION_TEST_FAILED"
    message = "The account does not work as configured."
