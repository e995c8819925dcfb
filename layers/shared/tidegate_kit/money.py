"""Money: exact decimals outside, whole billionths of a US dollar where sums are kept atomically."""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal

_NANO = 10**9


def to_nano(amount: Decimal) -> int:
    """Billionths of a dollar, rounded up. Raises ValueError for NaN and negatives (H22)."""
    if not amount.is_finite() or amount < 0:
        raise ValueError("an amount of money is a number of at least 0")
    return int((amount * _NANO).to_integral_value(rounding=ROUND_CEILING))


def from_nano(units: int) -> Decimal:
    """Dollars from billionths."""
    return Decimal(units) / _NANO


def money_text(amount: Decimal) -> str:
    """Decimal text with at least two places and no exponent: 0.00, 12.345."""
    text = format(amount.normalize(), "f")
    whole, _, places = text.partition(".")
    return f"{whole}.{places.ljust(2, '0')}"
