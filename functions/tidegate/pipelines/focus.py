"""Reads FOCUS 1.x cost files (CSV): https://focus.finops.org/focus-specification/

Used columns: ChargePeriodStart, SubAccountId, ServiceName, BilledCost, BillingCurrency, and
x_UsageType (AWS) or SkuMeter or ChargeCategory for what was used. Where there are ListCost and
EffectiveCost, usage also counts as rated: see `_Row.rated`. A whole file is read before anything
of it counts; the first thing that does not fit ends the reading with its row and column.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Final, NoReturn

from tidegate.pipelines.domain import CostLine, RatedCost
from tidegate.pipelines.errors import FocusInvalid

_NEEDED: Final = (
    "ChargePeriodStart",
    "SubAccountId",
    "ServiceName",
    "BilledCost",
    "BillingCurrency",
)
_USAGE: Final = ("x_UsageType", "SkuMeter", "ChargeCategory")
_RATED: Final = ("ListCost", "EffectiveCost")
_ABSENT: Final = ("", "NULL", "null")
_ACCOUNT: Final = re.compile(r"[0-9]{12}", re.ASCII)
_MAX_AMOUNT: Final = Decimal(10) ** 12
_MAX_PLACES: Final = 20
_MAX_TEXT: Final = 200
MAX_LINES: Final = 500_000  # accounts x days x services x usage types
_FIRST_DATA_ROW: Final = 2  # row 1 is the header, as spreadsheets count

Costs = Mapping[str, Mapping[date, Mapping[CostLine, Decimal]]]
Rated = Mapping[str, Mapping[date, Mapping[CostLine, RatedCost]]]


@dataclass(frozen=True)
class Read:
    """A file's costs by account, day and line, and how many rows it had."""

    costs: Costs
    rows: int
    rated: Rated = field(default_factory=dict)

    def rated_of(self, account_id: str, day: date) -> Mapping[CostLine, RatedCost]:
        """The rated costs of an account's day; none where the file does not tell."""
        return self.rated.get(account_id, {}).get(day, {})


def read(lines: Iterator[str]) -> Read:
    """The costs of a file. Raises FocusInvalid naming row and column."""
    rows = csv.reader(lines, strict=True)
    header = _next(rows, 1) or []
    places = _places(header)
    costs: dict[str, dict[date, dict[CostLine, Decimal]]] = {}
    rated: dict[str, dict[date, dict[CostLine, RatedCost]]] = {}
    kept = number = 0
    while (row := _next(rows, number + _FIRST_DATA_ROW)) is not None:
        number += 1
        if not row:
            continue
        cells = _Row(row, number + 1, places, len(header))
        account, day, line, amount = cells.read()
        lines_of_day = costs.setdefault(account, {}).setdefault(day, {})
        kept += line not in lines_of_day
        if kept > MAX_LINES:
            raise FocusInvalid(f"row {number + 1}: more than {MAX_LINES} different lines")
        lines_of_day[line] = lines_of_day.get(line, Decimal(0)) + amount
        cost = cells.rated()
        if cost is not None:
            of_day = rated.setdefault(account, {}).setdefault(day, {})
            of_day[line] = of_day[line] + cost if line in of_day else cost
    return Read(costs, number, rated)


def _next(rows: Iterator[list[str]], number: int) -> list[str] | None:
    try:
        return next(rows, None)
    except csv.Error as error:
        raise FocusInvalid(f"row {number}: it is not CSV") from error
    except UnicodeDecodeError as error:
        raise FocusInvalid(f"row {number}: it is not UTF-8 text") from error


def _places(header: list[str]) -> Mapping[str, int]:
    """Where each column is."""
    if not header:
        raise FocusInvalid("row 1: the file is empty")
    names = [name.strip().removeprefix("\ufeff") for name in header]
    for name in _NEEDED:
        if names.count(name) != 1:
            what = "is missing" if name not in names else "comes twice"
            raise FocusInvalid(f"row 1, column {name}: it {what}")
    if not any(name in names for name in _USAGE):
        raise FocusInvalid(f"row 1, column {_USAGE[0]}: it is missing")
    return {name: place for place, name in enumerate(names)}


@dataclass(frozen=True)
class _Row:
    cells: Sequence[str]
    number: int
    places: Mapping[str, int]
    width: int

    def read(self) -> tuple[str, date, CostLine, Decimal]:
        if len(self.cells) != self.width:
            self._refuse(
                "ChargePeriodStart", f"the row has {len(self.cells)} cells, the header {self.width}"
            )
        account = self._cell("SubAccountId")
        if _ACCOUNT.fullmatch(account) is None:
            self._refuse("SubAccountId", "it is not an account of 12 digits")
        if self._cell("BillingCurrency") != "USD":
            self._refuse("BillingCurrency", "only USD is read")
        usage = next((self._text(name) for name in _USAGE if self._filled(name)), "")
        service = self._text("ServiceName")
        if not service:
            self._refuse("ServiceName", "it is empty")
        return account, self._day(), CostLine(service, usage), self._amount("BilledCost")

    def rated(self) -> RatedCost | None:
        """List and effective cost of a row of usage; None where it does not tell how list
        prices relate to what is paid.

        Rows of purchases have a list cost and no effective one, unused commitments the other way
        round, spot ("Dynamic") has the list price of on-demand, and corrections are of other days.
        """
        amounts = [self._amount(name) if self._filled(name) else None for name in _RATED]
        if (
            self._value("ChargeCategory") != "Usage"
            or self._value("ChargeClass")
            or self._value("CommitmentDiscountStatus") == "Unused"
            or self._value("PricingCategory") == "Dynamic"
        ):
            return None
        list_cost, effective_cost = amounts
        if list_cost is None or effective_cost is None:
            return None
        return RatedCost(list_cost, effective_cost)

    def _value(self, name: str) -> str:
        """A cell that may be absent; files write an absent value as nothing or as NULL."""
        return self._cell(name) if self._filled(name) else ""

    def _cell(self, name: str) -> str:
        return self.cells[self.places[name]].strip()

    def _filled(self, name: str) -> bool:
        return name in self.places and self._cell(name) not in _ABSENT

    def _text(self, name: str) -> str:
        value = self._cell(name)
        if len(value) > _MAX_TEXT or not value.isprintable():
            self._refuse(name, f"it is not text of at most {_MAX_TEXT} characters")
        return value

    def _day(self) -> date:
        value = self._cell("ChargePeriodStart")
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self._refuse("ChargePeriodStart", "it is not an ISO 8601 time")
        if moment.tzinfo is not None:
            moment = moment.astimezone(UTC)
        if not 2000 <= moment.year <= 2100:
            self._refuse("ChargePeriodStart", "its year is not between 2000 and 2100")
        return moment.date()

    def _amount(self, name: str) -> Decimal:
        try:
            amount = Decimal(self._cell(name))
        except InvalidOperation:
            self._refuse(name, "it is not a number")
        if not amount.is_finite() or abs(amount) > _MAX_AMOUNT:
            self._refuse(name, "it is not a number that a bill could hold")
        exponent = amount.as_tuple().exponent
        if isinstance(exponent, int) and -exponent > _MAX_PLACES:
            self._refuse(name, f"it has more than {_MAX_PLACES} decimal places")
        return amount

    def _refuse(self, column: str, what: str) -> NoReturn:
        raise FocusInvalid(f"row {self.number}, column {column}: {what}")
