"""Errors of plans (contract 2.10)."""

from __future__ import annotations

from tidegate_kit import errors
from tidegate_kit.errors import Conflict


class PolicyDenied(errors.PolicyDenied):
    """A policy forbids an action of the plan."""

    message = "Your policies do not allow an action of this plan."


class FindingNotOpen(Conflict):
    """An excepted or resolved finding."""

    message = "A finding is not open: it is excepted or resolved."


class TierInsufficient(Conflict):
    """The account is connected for reading only."""

    code = "TIER_INSUFFICIENT"
    message = "The account is not connected for remediation. Deploy the stack with that tier."


class PlanNotApproved(Conflict):
    """Pending, rejected or cancelled."""

    code = "PLAN_NOT_APPROVED"
    message = "The plan is not approved."


class PlanExpired(Conflict):
    """Its time is over."""

    code = "PLAN_EXPIRED"
    message = "The plan has expired. Make a new one."


class PlanDrift(Conflict):
    """Something is not as it was approved."""

    code = "PLAN_DRIFT"
    message = "Something has changed since the plan was made. Nothing was done; make a new plan."


class PlanAlreadyExecuted(Conflict):
    """Executed, or being executed."""

    code = "PLAN_ALREADY_EXECUTED"
    message = "The plan has been executed, or is being executed."


class PlanExecuting(Conflict):
    """A run of the plan goes on."""

    code = "PLAN_EXECUTING"
    message = "The plan is being executed or undone. Wait for it to end."


class UndoExpired(Conflict):
    """The time for undoing is over."""

    code = "UNDO_EXPIRED"
    message = "The time in which this could be undone is over."


class NotReversible(Conflict):
    """Nothing of this can be undone."""

    code = "NOT_REVERSIBLE"
    message = "There is nothing here that can be undone."


class Superseded(Exception):
    """Another worker has written this step: read again."""
