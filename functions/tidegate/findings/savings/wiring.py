"""The savings ledger on this deployment."""

from __future__ import annotations

from datetime import date
from importlib import import_module
from typing import Any

from tidegate_kit.clock import Clock, system_clock
from tidegate_kit.tenancy import TenantScope

from tidegate.findings.plans.repository import DynamoPlans
from tidegate.findings.savings.measure import Costs
from tidegate.findings.savings.service import SavingsService


def savings_service(scope: TenantScope, clock: Clock = system_clock) -> SavingsService:
    """The savings ledger of a tenant, measured by pipelines' daily costs."""

    def costs(account_id: str, service: str | None, start: date, end: date) -> Costs:
        # By name, because pipelines in turn asks findings to measure: a circle of imports else.
        pipelines: Any = import_module("tidegate.pipelines.public")
        points = pipelines.cost_series(scope, account_id, service, None, start, end)
        return {point.date: point.amount for point in points}

    return SavingsService(DynamoPlans(scope), costs, clock)
