"""Errors of the accounts domain."""

from __future__ import annotations

from tidegate_kit.errors import Conflict


class PlanExecuting(Conflict):
    """Kept for remediation plans: an account is not disconnected under a running one."""

    code = "PLAN_EXECUTING"
    message = "A plan is being executed in this account. Disconnect it when the plan has ended."
