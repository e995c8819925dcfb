"""Errors of the lab (contract 2.12, and NO_PROMOTED_MODEL of 2.13)."""

from __future__ import annotations

from tidegate_kit import errors
from tidegate_kit.errors import Conflict, Unprocessable


class DatasetInUse(Conflict):
    code = "DATASET_IN_USE"
    message = "An experiment uses this dataset. Delete the experiment first."


class RunFinished(Conflict):
    code = "RUN_FINISHED"
    message = "The run is over and cannot be cancelled."


class GateNotPassed(Conflict):
    code = "GATE_NOT_PASSED"
    message = "The model did not beat seasonal-naive in its backtest, so it is not promoted."


class PolicyDenied(errors.PolicyDenied):
    message = "A policy does not allow this promotion."


class NoPromotedModel(Conflict):
    code = "NO_PROMOTED_MODEL"
    message = "The experiment has no model in production. Promote one first."


class SeriesTooShort(Unprocessable):
    code = "SERIES_TOO_SHORT"
    message = "The series has too few values for this."


class PromotedMeanwhile(Conflict):
    message = "Another model of the experiment was promoted at the same moment. Read it again."
