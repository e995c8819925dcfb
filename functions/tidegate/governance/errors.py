"""Errors of governance (contract 2.11)."""

from __future__ import annotations

from tidegate_kit.errors import Conflict, Forbidden, Unprocessable


class PolicyInvalid(Unprocessable):
    code = "POLICY_INVALID"
    message = "The policy cannot be stored: its text is not valid."


class VersionConflict(Conflict):
    code = "VERSION_CONFLICT"
    message = "The policy has another version by now. Read it again."


class TooManyPolicies(Conflict):
    message = "A tenant holds at most 50 policies. Delete one, or put statements together."


class SelfApproval(Forbidden):
    code = "SELF_APPROVAL"
    message = "Whoever asked for an approval does not decide it."


class SubjectChanged(Conflict):
    code = "SUBJECT_CHANGED"
    message = "This is not what the approval is for any more. Read it again."


class AlreadyDecided(Conflict):
    code = "ALREADY_DECIDED"
    message = "You have decided this already."


class ApprovalClosed(Conflict):
    code = "APPROVAL_CLOSED"
    message = "The approval is closed."
