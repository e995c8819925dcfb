"""Query parameters of the metrics routes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from fastapi import Query
from pydantic import AfterValidator
from tidegate_kit.auth.principal import Principal
from tidegate_kit.http.schema import Instant

from tidegate.monitoring import wiring
from tidegate.monitoring.errors import PlatformScopeRefused
from tidegate.monitoring.repository.metrics import Metrics

Scope = Literal["tenant", "platform"]
_YEARS = range(2000, 2200)


def _within_years(moment: datetime) -> datetime:
    if moment.year not in _YEARS:  # beyond them, steps of a range leave the calendar
        raise ValueError("is not a time of this platform")
    return moment


Moment = Annotated[Instant, AfterValidator(_within_years)]


@dataclass
class ScopeQuery:
    """Whose numbers."""

    scope: Annotated[Scope, Query(description="platform: administrators only")] = "tenant"


@dataclass
class SeriesQuery(ScopeQuery):
    """Which part of a series."""

    start: Annotated[Moment | None, Query(alias="from")] = None
    end: Annotated[Moment | None, Query(alias="to")] = None
    granularity: Annotated[Literal["minute", "hour", "day"], Query()] = "hour"
    group_by: Annotated[
        Literal["route", "user", "workflow", "account", "model"] | None, Query()
    ] = None


def metrics_of(principal: Principal, scope: Scope) -> Metrics:
    """The sums that the caller asks for. Raises PlatformScopeRefused."""
    if scope == "platform":
        if "admin:read" not in principal.permissions:
            raise PlatformScopeRefused
        return wiring.platform_metrics()
    return wiring.tenant_metrics(principal.tenant)
