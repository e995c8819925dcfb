"""From ledger entries to the answer of GET /waste/savings."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Final

from tidegate.findings.answers import money
from tidegate.findings.plans import schemas
from tidegate.findings.plans.domain import LedgerEntry
from tidegate.findings.savings.measure import calibration, realised

_PLACES: Final = Decimal("0.000001")


def _money(amount: Decimal | None) -> str | None:
    return None if amount is None else money(amount.quantize(_PLACES))


def ledger(of: LedgerEntry, today: date) -> schemas.LedgerView:
    """One entry."""
    return schemas.LedgerView(
        id=of.id,
        plan_id=of.plan_id,
        finding_id=of.finding_id,
        check_id=of.check_id,
        account_id=of.account_id,
        estimated_monthly=_money(of.estimated_monthly),
        acted_at=of.acted_at,
        undone_at=of.undone_at,
        measured=[
            schemas.MeasuredView(days=days, amount=_money(amount))
            for days, amount in sorted(of.measured.items())
        ],
        realised_to_date=_money(realised(of, today)),
    )


def totals(entries: Sequence[LedgerEntry], today: date) -> schemas.LedgerTotals:
    """Sums of all entries; what is not measured is counted, never valued at 0."""
    estimated = [one.estimated_monthly for one in entries if one.estimated_monthly is not None]
    known = [amount for one in entries if (amount := realised(one, today)) is not None]
    return schemas.LedgerTotals(
        estimated_monthly=money(sum(estimated, Decimal(0)).quantize(_PLACES)),
        realised_to_date=money(sum(known, Decimal(0)).quantize(_PLACES)),
        unmeasured=len(entries) - len(known),
        calibration=[
            schemas.CalibrationView(check_id=check, ratio=round(float(ratio), 4), samples=count)
            for check, (ratio, count) in sorted(calibration(entries).items())
        ],
    )
