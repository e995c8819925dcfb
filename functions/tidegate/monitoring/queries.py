"""Query parameters of the metrics routes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import Query
from pydantic import AfterValidator, BeforeValidator
from tidegate_kit.auth.principal import Principal

from tidegate.monitoring import wiring
from tidegate.monitoring.errors import PlatformScopeRefused
from tidegate.monitoring.repository.metrics import Metrics

Scope = Literal["tenant", "platform"]
_YEARS = range(2000, 2200)


def _in_utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("needs an offset or Z")
    if moment.year not in _YEARS:  # beyond them, steps of a range leave the calendar
        raise ValueError("is not a time of this platform")
    return moment.astimezone(UTC)


def _is_text(value: object) -> object:
    if isinstance(value, str) and "-" not in value[1:]:
        raise ValueError("is not an ISO 8601 time")  # a number would pass as seconds
    return value


Moment = Annotated[datetime, BeforeValidator(_is_text), AfterValidator(_in_utc)]


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
