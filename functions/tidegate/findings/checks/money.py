"""Savings: a formula over named quantities and prices, evaluated in Decimal."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from functools import lru_cache

from tidegate.findings.domain import Confidence, PriceUsed, Quantity, Saving

HOURS_A_MONTH = 730  # 365 days * 24 / 12, the month of AWS's own price pages
_PLACES = Decimal("0.000001")
_DIGITS = 40


def evaluate(formula: str, values: Mapping[str, Decimal]) -> Decimal:
    """The value of a formula: numbers, names, + - * / and parentheses; rounded to 6 places.

    Raises ValueError for anything else, LookupError for an unknown name.
    """
    with localcontext() as context:
        context.prec = _DIGITS
        return _value(_parsed(formula), values).quantize(_PLACES, ROUND_HALF_EVEN)


@lru_cache(maxsize=512)
def _parsed(formula: str) -> ast.expr:
    try:
        return ast.parse(formula, mode="eval").body
    except SyntaxError as error:
        raise ValueError(formula) from error


def _value(node: ast.expr, values: Mapping[str, Decimal]) -> Decimal:
    match node:
        case ast.Constant(value=int() as number):
            return Decimal(number)
        case ast.Constant(value=float()):
            return Decimal(ast.unparse(node))
        case ast.Name(id=name):
            return values[name]
        case ast.BinOp(left=left, op=operator, right=right):
            return _applied(operator, _value(left, values), _value(right, values))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand, values)
    raise ValueError(f"not part of a formula: {ast.unparse(node)}")


def _applied(operator: ast.operator, left: Decimal, right: Decimal) -> Decimal:
    match operator:
        case ast.Add():
            return left + right
        case ast.Sub():
            return left - right
        case ast.Mult():
            return left * right
        case ast.Div():
            return left / right
    raise ValueError(f"not part of a formula: {type(operator).__name__}")


def saving(
    formula: str,
    quantities: Sequence[Quantity],
    prices: Sequence[PriceUsed],
    confidence: Confidence = "exact",
) -> Saving:
    """The saving of a formula; None (unpriced) when one of its prices is unknown, never 0.

    Its effective amount likewise, over effective prices.
    """
    return Saving(
        _amount(formula, quantities, {one.name: one.unit_price for one in prices}),
        formula,
        tuple(quantities),
        tuple(prices),
        confidence,
        effective_monthly=_amount(
            formula, quantities, {one.name: one.effective_unit_price for one in prices}
        ),
    )


def _amount(
    formula: str, quantities: Sequence[Quantity], prices: Mapping[str, Decimal | None]
) -> Decimal | None:
    known = {name: price for name, price in prices.items() if price is not None}
    if len(known) < len(prices):
        return None
    return evaluate(formula, {one.name: one.value for one in quantities} | known)


# Tidying up that saves nothing: 0 by definition (FND-2)
HYGIENE = Saving(Decimal(0), "0", effective_monthly=Decimal(0))


def quantity(name: str, value: Decimal | int | float | str, unit: str) -> Quantity:
    """A quantity; floats are taken as they print."""
    return Quantity(name, value if isinstance(value, Decimal) else Decimal(str(value)), unit)


def gib(octets: Decimal | int | float) -> Decimal:
    """Bytes as GiB, rounded to 6 places (a KiB)."""
    with localcontext() as context:
        context.prec = _DIGITS
        return (Decimal(str(octets)) / Decimal(1024**3)).quantize(_PLACES, ROUND_HALF_EVEN)
