"""What other domains may use of pipelines."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from tidegate_kit.budgets import BudgetExceeded, Budgets, Reservation
from tidegate_kit.clock import Clock, system_clock
from tidegate_kit.ids import new_id
from tidegate_kit.money import to_nano
from tidegate_kit.tenancy import TenantScope

from tidegate.pipelines.budget import budget_store
from tidegate.pipelines.domain import CostLine, CostPoint, RatedCost, RatedLine
from tidegate.pipelines.repository import DynamoCostSeries
from tidegate.pipelines.repository.deletion import delete_some
from tidegate.pipelines.service import series

__all__ = [
    "BudgetExceeded",
    "CostLine",
    "CostPoint",
    "RatedCost",
    "RatedLine",
    "Reservation",
    "cost_series",
    "delete_account",
    "forget_tenant",
    "hide_account",
    "month_costs",
    "rated_costs",
    "reserve_aws_api",
    "settle_aws_api",
]

_STEP = 500


def cost_series(
    scope: TenantScope,
    account_id: str | None,
    service: str | None,
    usage_type: str | None,
    start: date,
    end: date,
) -> list[CostPoint]:
    """Daily costs in USD from `start` to `end`, both included, oldest first.

    None means "all". A day of which nothing is known is absent; a known day without the asked
    service is 0. Raises ServiceUnavailable.
    """
    store = DynamoCostSeries(scope)
    return series.cost_series(store, account_id, service, usage_type, start, end)


def rated_costs(scope: TenantScope, account_id: str, start: date, end: date) -> list[RatedLine]:
    """Daily list and effective costs in USD of an account's usage, both ends included, by date.

    Only days and lines whose source tells list costs (FOCUS files do). Raises ServiceUnavailable.
    """
    return series.rated_costs(DynamoCostSeries(scope), account_id, start, end)


def month_costs(scope: TenantScope, today: date) -> tuple[Decimal | None, Decimal | None]:
    """(month to date, last month) in USD of all accounts; None where nothing is known."""
    return series.month_costs(DynamoCostSeries(scope), today)


def hide_account(scope: TenantScope, account_id: str, clock: Clock = system_clock) -> None:
    """Take an account's costs out of every read at once (CLI-2). Idempotent."""
    DynamoCostSeries(scope).hide(account_id, clock())


def delete_account(scope: TenantScope, account_id: str, steps: int | None = None) -> bool:
    """Delete what `hide_account` hid, in at most `steps` batches of 500.

    True when nothing is left; may be killed and called again.
    """
    store = DynamoCostSeries(scope)
    left = steps
    while left is None or left > 0:
        if not store.delete_some(account_id, _STEP):
            return True
        left = None if left is None else left - 1
    return False


def reserve_aws_api(
    scope: TenantScope, worst_case: Decimal, clock: Clock = system_clock
) -> Reservation:
    """Take the price of one paid AWS call (USD) from the month's budget, before the call (PIP-2).

    Raises BudgetExceeded (429), ServiceUnavailable. What is never settled is given back by the
    sweep within 15 minutes.
    """
    return Budgets(budget_store(scope.tenant_id), clock, new_id).reserve(to_nano(worst_case))


def settle_aws_api(
    scope: TenantScope, reservation: Reservation, cost: Decimal, clock: Clock = system_clock
) -> None:
    """Count what the call cost (USD), at most what was reserved; 0 gives it back."""
    Budgets(budget_store(scope.tenant_id), clock, new_id).settle(reservation, to_nano(cost))


def forget_tenant(scope: TenantScope, limit: int = 500) -> bool:
    """Delete up to `limit` rows of the tenant; True when nothing is left. May be called again.

    Uploaded cost files are objects under focus/<tenant>/ of the data bucket: the caller's to
    delete.
    """
    return delete_some(scope, limit) == 0
