"""Recorded inventories in memory, and for every check a resource that it finds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

from tidegate.discovery.collectors import COLLECTORS
from tidegate.discovery.domain import GLOBAL, resource_id
from tidegate.discovery.public import Coverage
from tidegate.findings.checks import EVALUATORS
from tidegate.findings.domain import Saving
from tidegate.findings.prices.book import PriceBook, baseline
from tidegate.findings.service.evaluation import Rules
from tidegate.findings.service.thresholds import merged
from tidegate_kit.clock import iso
from tidegate_kit.ids import new_id

from tests.builders.settings import CUSTOMER_ACCOUNT

NOW = datetime(2026, 1, 2, 3, 0, 0, tzinfo=UTC)
REGION = "us-east-1"
Line = dict[str, Any]


def ago(days: float) -> str:
    """The ISO time that many days before the inventory."""
    return iso(NOW - timedelta(days=days))


def value(number: float | None, days: int = 7) -> dict[str, Any]:
    """A measurement as the inventory has it."""
    return {"value": number, "datapoints": 0 if number is None else days, "days": days}


def hours(values: Sequence[float | None], days: int = 14) -> dict[str, Any]:
    """An hourly measurement."""
    return {"start": ago(days), "period": 3600, "days": days, "values": list(values)}


def line(
    type_: str,
    name: str,
    *,
    state: str | None = None,
    region: str = REGION,
    attributes: Mapping[str, Any] | None = None,
    metrics: Mapping[str, Any] | None = None,
    tags: Mapping[str, str] | None = None,
    unknown: Sequence[str] = (),
    unchanged_days: float = 400,
    account_id: str = CUSTOMER_ACCOUNT,
    arn: str | None = None,
) -> Line:
    """One resource as a snapshot holds it."""
    service, kind = type_.split(":")
    arn = arn or f"arn:aws:{service}:{region}:{account_id}:{kind}/{name}"
    return {
        "id": resource_id("tenant", account_id, arn),
        "arn": arn,
        "type": type_,
        "name": name,
        "account_id": account_id,
        "region": region,
        "state": state,
        "tags": dict(tags or {}),
        "attributes": dict(attributes or {}),
        "metrics": dict(metrics or {}),
        "unknown": list(unknown),
        "fingerprint": "f" * 64,
        "service": "",
        "first_seen_at": ago(unchanged_days),
        "unchanged_since": ago(unchanged_days),
    }


def covered(
    region: str = REGION, *, without: Mapping[str, Coverage] | None = None
) -> tuple[Coverage, ...]:
    """Every service read completely in one region and globally, but for those in `without`."""
    units: list[Coverage] = []
    for service, collector in COLLECTORS.items():
        place = GLOBAL if collector.is_global else region
        units.append((without or {}).get(service) or Coverage(place, service, "ok", True, None, ()))
    return tuple(units)


@dataclass(frozen=True)
class MemoryInventory:
    """A recorded inventory of these lines."""

    resources: Sequence[Line]
    coverage: tuple[Coverage, ...] = field(default_factory=covered)
    taken_at: datetime = NOW
    account_id: str = CUSTOMER_ACCOUNT
    onboarding_id: str = field(default_factory=new_id)
    generation: int = 0

    def types(self, region: str | None = None) -> tuple[str, ...]:
        """As discovery.public.Inventory."""
        here = [one for one in self.resources if region in (None, one["region"])]
        return tuple(sorted({one["type"] for one in here}))

    def lines(self, region: str | None, type_: str) -> Iterator[Line]:
        """As discovery.public.Inventory."""
        for one in self.resources:
            if one["type"] == type_ and region in (None, one["region"]):
                yield one


def rules(
    thresholds: Mapping[str, Mapping[str, Any]] | None = None, prices: PriceBook | None = None
) -> Rules:
    """All checks with the shipped prices and thresholds."""
    return Rules(EVALUATORS, prices or baseline(), merged(thresholds or {}))


def recomputed(saving: Saving) -> Fraction | None:
    """The amount from the formula as it is shown: not the code that made it, but Python's own.

    None when a price is unknown. Exact fractions, so rounding is seen.
    """
    values: dict[str, Fraction] = {q.name: Fraction(q.value) for q in saving.quantities}
    for price in saving.prices:
        if price.unit_price is None:
            return None
        values[price.name] = Fraction(price.unit_price)
    return Fraction(eval(saving.formula, {"__builtins__": {}}, values))  # noqa: S307
