"""Domain objects of the cost series; no AWS, no storage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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
class DayCosts:
    """All costs of one account on one day, as one source gives them: replaced as a whole."""

    date: date
    source: Source
    lines: Mapping[CostLine, Decimal]

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
