"""Figures from the AWS Price List API (GetProducts), for the keys of the baseline that it has.

https://docs.aws.amazon.com/awsaccountbilling/latest/aboutv2/using-price-list-query-api.html
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from tidegate.findings.prices.book import Figure, PriceBook
from tidegate.findings.prices.wanted import Wanted, wanted

SOURCE = "AWS Price List API"
_IN_REGION = "AWS Region"  # not a local zone, an outpost or a wavelength zone

Products = Sequence[Mapping[str, Any]]


def load(client: Any, book: PriceBook, region: str, date: str) -> list[Figure]:
    """The newest figures of a region for the keys of `book`. `client`: boto3's `pricing`.

    A key with no price, several different ones, or one in another unit or currency is left out:
    the book keeps what it has, and nothing is guessed. Raises botocore's errors.
    """
    found: list[Figure] = []
    asked: dict[tuple[str, tuple[tuple[str, str], ...]], Products] = {}
    for key, unit in book.known():
        one = wanted(key, unit)
        if one is None:
            continue
        # Several figures are in the answer to one question.
        question = (one.service, tuple(sorted({**one.filters, "regionCode": region}.items())))
        if question not in asked:
            asked[question] = list(_products(client, *question))
        price = price_of(one, asked[question], region)
        if price is not None:
            found.append(Figure(one.key, region, one.unit, price, SOURCE, date))
    return found


def _products(
    client: Any, service: str, filters: Sequence[tuple[str, str]]
) -> Iterator[Mapping[str, Any]]:
    request: dict[str, Any] = {
        "ServiceCode": service,
        "FormatVersion": "aws_v1",
        "Filters": [
            {"Type": "TERM_MATCH", "Field": name, "Value": value} for name, value in filters
        ],
    }
    while True:
        answer = client.get_products(**request)
        for text in answer.get("PriceList", []):
            yield json.loads(text)
        if not answer.get("NextToken"):
            return
        request["NextToken"] = answer["NextToken"]


def price_of(one: Wanted, products: Products, region: str) -> Decimal | None:
    """The on-demand price of a figure in USD; None where there is none or several different ones.

    Of a price in tiers it is that of the first tier that is charged: leading tiers at 0 are free
    allowances of an account.
    """
    prices: set[Decimal] = set()
    for product in products:
        attributes = product.get("product", {}).get("attributes", {})
        if attributes.get("locationType", _IN_REGION) != _IN_REGION:
            continue
        if not one.names(attributes.get("usagetype", ""), region):
            continue
        for term in product.get("terms", {}).get("OnDemand", {}).values():
            price = _first_charged(one, term.get("priceDimensions", {}).values())
            if price is not None:
                prices.add(price)
    return prices.pop() if len(prices) == 1 else None


def _first_charged(one: Wanted, dimensions: Any) -> Decimal | None:
    tiers: list[tuple[Decimal, Decimal]] = []
    for dimension in dimensions:
        holds = one.units.get(dimension.get("unit"))
        price = _positive(dimension.get("pricePerUnit", {}).get("USD"))
        if holds is not None and price is not None:
            begin = _number(dimension.get("beginRange", "0"))
            if begin is None:
                return None
            tiers.append((begin, price / holds))
    return min(tiers)[1] if tiers else None


def _positive(text: Any) -> Decimal | None:
    price = _number(text)
    return price.normalize() if price is not None and price > 0 else None


def _number(text: Any) -> Decimal | None:
    try:
        number = Decimal(str(text))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None
