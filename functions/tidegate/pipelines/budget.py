"""The tenant's budget for paid AWS calls (PIP-2)."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from tidegate_kit.budget_store import DynamoBudgetStore
from tidegate_kit.budgets import Limits
from tidegate_kit.money import to_nano
from tidegate_kit.tenancy import TenantScope

from tidegate.pipelines.models import API_BUDGET

DEFAULT_LIMITS: Final = Limits(monthly=to_nano(Decimal("5.00")))  # contract 2.14


def budget_store(tenant_id: str) -> DynamoBudgetStore:
    """What a tenant may spend on paid AWS calls a month, USD 5 unless he says otherwise."""
    return DynamoBudgetStore(TenantScope(tenant_id), API_BUDGET, DEFAULT_LIMITS)
