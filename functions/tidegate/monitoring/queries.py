"""Query parameters of the metrics routes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import Query
from pydantic import AfterValidator
from tidegate_kit.auth.principal import Principal

from tidegate.monitoring import wiring
from tidegate.monitoring.errors import PlatformScopeRefused
from tidegate.monitoring.repository.metrics import Metrics

Scope = Literal["tenant", "platform"]


def _in_utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("needs an offset or Z")
    return moment.astimezone(UTC)


Moment = Annotated[datetime, AfterValidator(_in_utc)]


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
