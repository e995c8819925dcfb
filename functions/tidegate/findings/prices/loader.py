"""Figures from the AWS Price List API (GetProducts), for the keys of the baseline that it has.

https://docs.aws.amazon.com/awsaccountbilling/latest/aboutv2/using-price-list-query-api.html
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from tidegate.findings.prices.book import Figure, PriceBook

SOURCE = "AWS Price List API"
# Units as the API writes them, and as the book does.
_UNITS = {"Hrs": "hour", "GB-Mo": "GiB-month", "IOPS-Mo": "IOPS-month"}
_EC2 = {
    "operatingSystem": "Linux",
    "preInstalledSw": "NA",
    "tenancy": "Shared",
    "capacitystatus": "Used",
    "licenseModel": "No License required",
}


@dataclass(frozen=True)
class Wanted:
    """One figure: where the API has it."""

    key: str
    unit: str
    service: str
    filters: Mapping[str, str]


def wanted(keys: Iterable[tuple[str, str]]) -> Iterator[Wanted]:
    """What the API can be asked for of (key, unit) pairs: instances, EBS storage and IOPS."""
    for key, unit in keys:
        match key.split("/"):
            case ["ec2", kind, "linux"]:
                yield Wanted(key, unit, "AmazonEC2", {"instanceType": kind, **_EC2})
            case ["ebs", kind, "storage"]:
                family = {"volumeApiName": kind, "productFamily": "Storage"}
                yield Wanted(key, unit, "AmazonEC2", family)
            case ["ebs", kind, "iops"]:
                family = {"volumeApiName": kind, "productFamily": "System Operation"}
                yield Wanted(key, unit, "AmazonEC2", family)


def load(client: Any, book: PriceBook, region: str, date: str) -> list[Figure]:
    """The newest figures of a region for the keys of `book`. `client`: boto3's `pricing`.

    A key with no price, several different ones, or one in another unit is left out: the book
    keeps what it has, and nothing is guessed. Raises botocore's errors.
    """
    found: list[Figure] = []
    for one in wanted(book.known()):
        price = _price(one, _products(client, one, region))
        if price is not None:
            found.append(Figure(one.key, region, one.unit, price, SOURCE, date))
    return found


def _products(client: Any, one: Wanted, region: str) -> Iterator[Mapping[str, Any]]:
    filters = {**one.filters, "regionCode": region}
    request: dict[str, Any] = {
        "ServiceCode": one.service,
        "FormatVersion": "aws_v1",
        "Filters": [
            {"Type": "TERM_MATCH", "Field": name, "Value": value}
            for name, value in sorted(filters.items())
        ],
    }
    while True:
        answer = client.get_products(**request)
        for text in answer.get("PriceList", []):
            yield json.loads(text)
        if not answer.get("NextToken"):
            return
        request["NextToken"] = answer["NextToken"]


def _price(one: Wanted, products: Iterable[Mapping[str, Any]]) -> Decimal | None:
    prices = {
        price
        for product in products
        for term in product.get("terms", {}).get("OnDemand", {}).values()
        for dimension in term.get("priceDimensions", {}).values()
        if _UNITS.get(dimension.get("unit")) == one.unit
        and (price := _positive(dimension.get("pricePerUnit", {}).get("USD"))) is not None
    }
    return prices.pop() if len(prices) == 1 else None


def _positive(text: Any) -> Decimal | None:
    try:
        price = Decimal(str(text))
    except InvalidOperation:
        return None
    return price.normalize() if price.is_finite() and price > 0 else None
