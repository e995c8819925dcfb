"""The JSON parts of a finding's item: saving, suggested action, mark of an exception."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from tidegate.findings.domain import ExceptionMark, PriceUsed, Quantity, Saving, SuggestedAction


def saving_body(saving: Saving) -> dict[str, Any]:
    """A saving as JSON; numbers are text."""
    return {
        "monthly": _text(saving.monthly),
        "formula": saving.formula,
        "quantities": [[q.name, str(q.value), q.unit] for q in saving.quantities],
        "prices": [
            [p.name, _text(p.unit_price), p.unit, p.source, p.date, _text(p.effective_unit_price)]
            for p in saving.prices
        ],
        "confidence": saving.confidence,
        "currency": saving.currency,
        "effective_monthly": _text(saving.effective_monthly),
    }


def saving_of(body: Mapping[str, Any]) -> Saving:
    """The saving of its JSON."""
    return Saving(
        monthly=_decimal(body["monthly"]),
        formula=body["formula"],
        quantities=tuple(Quantity(n, Decimal(v), u) for n, v, u in body["quantities"]),
        prices=tuple(_price_of(*row) for row in body["prices"]),
        confidence=body["confidence"],
        currency=body["currency"],
        effective_monthly=_decimal(body.get("effective_monthly")),
    )


def _price_of(
    name: str,
    price: str | None,
    unit: str,
    source: str,
    published: str,
    effective: str | None = None,  # rows of earlier versions end before it
) -> PriceUsed:
    return PriceUsed(name, _decimal(price), unit, source, published, _decimal(effective))


def action_body(action: SuggestedAction | None) -> dict[str, Any] | None:
    """A suggested action as JSON."""
    if action is None:
        return None
    return {
        "id": action.id,
        "reversible": action.reversible,
        "undo_hours": action.undo_hours,
        "parameters": dict(action.parameters),
    }


def action_of(body: Mapping[str, Any] | None) -> SuggestedAction | None:
    """The suggested action of its JSON."""
    if body is None:
        return None
    return SuggestedAction(body["id"], body["reversible"], body["undo_hours"], body["parameters"])


def mark_body(mark: ExceptionMark | None) -> dict[str, Any] | None:
    """An exception's mark as JSON."""
    if mark is None:
        return None
    return {
        "id": mark.id,
        "owner": mark.owner,
        "reason": mark.reason,
        "expires_at": mark.expires_at.isoformat(),
    }


def mark_of(body: Mapping[str, Any] | None) -> ExceptionMark | None:
    """The mark of its JSON."""
    if body is None:
        return None
    expires_at = datetime.fromisoformat(body["expires_at"])
    return ExceptionMark(body["id"], body["owner"], body["reason"], expires_at)


def _text(value: Decimal | None) -> str | None:
    return None if value is None else str(value)


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
