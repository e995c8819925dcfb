"""The price book: dated figures by key and region; what it does not know stays unknown (FND-2)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from tidegate.findings.domain import PriceUsed
from tidegate.findings.prices.effective import family_of

_BASELINE = Path(__file__).with_name("baseline.json")


@dataclass(frozen=True)
class Figure:
    """One price: USD per `unit`, who published it (`source`) and the ISO date it was read.

    `effective_price` is what an account really pays (commitments, negotiated discounts), None
    where its bills do not tell; only `with_ratios` fills it.
    """

    key: str
    region: str
    unit: str
    unit_price: Decimal
    source: str
    date: str
    effective_price: Decimal | None = None


class PriceBook:
    """Figures of several layers; a figure of a later layer replaces one of an earlier."""

    def __init__(self, version: str, layers: Sequence[Iterable[Figure]]) -> None:
        self.version = version
        self._figures = {(f.key, f.region): f for layer in layers for f in layer}

    def figure(self, key: str, region: str) -> Figure | None:
        """What is known of `key` in `region`."""
        return self._figures.get((key, region))

    def known(self) -> list[tuple[str, str]]:
        """(key, unit) of every figure, sorted."""
        return sorted({(figure.key, figure.unit) for figure in self._figures.values()})

    def regions(self) -> list[str]:
        """Regions that it knows prices of, sorted."""
        return sorted({figure.region for figure in self._figures.values()})

    def price(self, key: str, region: str, unit: str, name: str = "price") -> PriceUsed:
        """The list price, as `name` of a formula.

        Unknown when the book has none, or has it in another unit: an hourly figure is never taken
        for a monthly one (G33).
        """
        found = self._figures.get((key, region))
        if found is None or found.unit != unit:
            return PriceUsed(name, None, unit, "", "")
        return PriceUsed(
            name, found.unit_price, unit, found.source, found.date, found.effective_price
        )

    def with_layer(self, version: str, figures: Iterable[Figure]) -> PriceBook:
        """This book with newer figures above."""
        return PriceBook(version, (self._figures.values(), figures))

    def with_ratios(self, ratios: Mapping[str, Decimal]) -> PriceBook:
        """This book with effective prices: list price * the ratio of its family (`effective`)."""
        if not ratios:
            return self
        return PriceBook(self.version, ([_rated(one, ratios) for one in self._figures.values()],))


def _rated(figure: Figure, ratios: Mapping[str, Decimal]) -> Figure:
    ratio = ratios.get(family_of(figure.key) or "")
    effective = None if ratio is None else figure.unit_price * ratio
    return replace(figure, effective_price=effective)


def figures_of(document: Mapping[str, Any]) -> list[Figure]:
    """The figures of a book document: {"figures": [{key, unit, source, date, prices: {region}}]}.

    Raises ValueError for a price that is no positive, finite number.
    """
    found: list[Figure] = []
    for entry in document["figures"]:
        for region, text in entry["prices"].items():
            price = Decimal(text)
            if not price.is_finite() or price <= 0:
                raise ValueError(f"{entry['key']} in {region}: {text}")
            found.append(
                Figure(entry["key"], region, entry["unit"], price, entry["source"], entry["date"])
            )
    return found


@cache
def baseline() -> PriceBook:
    """The book shipped with this version."""
    document = json.loads(_BASELINE.read_text(encoding="utf-8"))
    return PriceBook(document["version"], (figures_of(document),))
