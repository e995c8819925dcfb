"""Domain objects of the cost series; no AWS, no storage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Literal

Source = Literal["ce", "focus"]
# A FOCUS file is the bill itself, so where both know a day it counts, and they are never added.
PRECEDENCE: tuple[Source, ...] = ("ce", "focus")


@dataclass(frozen=True)
class CostPoint:
    """The cost of one day in USD."""

    date: date
    amount: Decimal


@dataclass(frozen=True, order=True)
class CostLine:
    """What a cost is for."""

    service: str
    usage_type: str


@dataclass(frozen=True)
class RatedCost:
    """What the usage of a line costs at list prices, and what it really costs, in USD.

    Only usage whose price is set beforehand: no purchases, taxes, credits, corrections, spot, and
    nothing of a commitment that nobody used.
    """

    list_cost: Decimal
    effective_cost: Decimal

    def __add__(self, other: RatedCost) -> RatedCost:
        return RatedCost(
            self.list_cost + other.list_cost, self.effective_cost + other.effective_cost
        )


@dataclass(frozen=True)
class RatedLine:
    """The rated cost of one line on one day."""

    date: date
    line: CostLine
    cost: RatedCost


@dataclass(frozen=True)
class DayCosts:
    """All costs of one account on one day, as one source gives them: replaced as a whole.

    `rated` has the lines whose list cost the source tells; Cost Explorer tells none.
    """

    date: date
    source: Source
    lines: Mapping[CostLine, Decimal]
    rated: Mapping[CostLine, RatedCost] = field(default_factory=dict)

    @property
    def total(self) -> Decimal:
        """The day's sum."""
        return sum(self.lines.values(), Decimal(0))

    def amount(self, service: str | None, usage_type: str | None) -> Decimal:
        """The sum of the lines that fit; 0 where none does."""
        return sum(
            (
                amount
                for line, amount in self.lines.items()
                if service in (None, line.service) and usage_type in (None, line.usage_type)
            ),
            Decimal(0),
        )
