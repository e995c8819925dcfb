"""What other domains may use of pipelines."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from tidegate_kit.clock import Clock, system_clock
from tidegate_kit.tenancy import TenantScope

from tidegate.pipelines.domain import CostPoint
from tidegate.pipelines.repository import DynamoCostSeries
from tidegate.pipelines.service import series

__all__ = ["CostPoint", "cost_series", "delete_account", "hide_account", "month_costs"]

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
