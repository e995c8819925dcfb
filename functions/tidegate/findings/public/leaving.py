"""Open plans of an account that is disconnected, for the disconnect (CLI-2)."""

from __future__ import annotations

import contextlib

from tidegate_kit.clock import Clock, system_clock
from tidegate_kit.errors import NotFound
from tidegate_kit.tenancy import TenantScope

from tidegate.findings import wiring
from tidegate.findings.plans.leaving import LeavingPlans
from tidegate.findings.plans.repository import DynamoPlans


def open_plans(scope: TenantScope, onboarding_id: str) -> int:
    """How many plans that act on the account of a registration wait for anything."""
    return len(_leaving(scope, system_clock).open(onboarding_id))


def drop_open_plans(
    scope: TenantScope, onboarding_id: str, *, by: str, clock: Clock = system_clock
) -> int:
    """Delete these plans once the registration is disconnected; how many there were.

    Their approvals are cancelled in the name of `by`, their findings in other accounts are open
    again. May be killed and called again. Needs read and write on `governance`. Raises
    ServiceUnavailable.
    """
    return _leaving(scope, clock).drop_all(onboarding_id, by)


def _leaving(scope: TenantScope, clock: Clock) -> LeavingPlans:
    def close_approval(approval_id: str, by: str) -> None:
        from tidegate.governance import public as governance  # only where there is one to close

        with contextlib.suppress(NotFound):
            governance.close_approval(scope, approval_id, by=by, clock=clock)

    return LeavingPlans(DynamoPlans(scope), wiring.findings_of(scope), close_approval, clock)
