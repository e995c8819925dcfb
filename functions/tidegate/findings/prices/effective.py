"""What an account pays of list prices, from its own bills; pure.

A FOCUS bill tells for each line of usage what it costs at list prices and what it really costs
(negotiated discounts, savings plans, reservations). Their ratio, by family of prices, is what the
account pays of a list price (ADR 0025). What the bills do not tell stays unknown: it is never 1.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from typing import Any, Final, Protocol

WINDOW: Final = timedelta(days=45)  # a bill that is uploaded once a month is still in it
ENOUGH_DAYS: Final = 7
_PLACES: Final = Decimal("0.000001")
_DIGITS: Final = 40
_REGION: Final = re.compile(r"[A-Z0-9]+-")


class Line(Protocol):
    """What a cost is for (pipelines.public.CostLine)."""

    @property
    def service(self) -> str:
        """The service, as the bill names it."""

    @property
    def usage_type(self) -> str:
        """AWS's usage type."""


class Rated(Protocol):
    """A line's cost on one day (pipelines.public.RatedLine)."""

    @property
    def date(self) -> date:
        """The day."""

    @property
    def line(self) -> Line:
        """What it is for."""

    @property
    def cost(self) -> Any:
        """`list_cost` and `effective_cost`, Decimal USD."""


@dataclass(frozen=True)
class _Family:
    """Prices that commitments and discounts treat alike: keys of the book, lines of a bill."""

    name: str
    keys: re.Pattern[str]
    services: tuple[str, ...]
    usage: re.Pattern[str]

    def of_key(self, key: str) -> bool:
        return self.keys.match(key) is not None

    def of_line(self, line: Line) -> bool:
        service = line.service.lower()
        if not any(name in service for name in self.services):
            return False
        # Usage types begin with a region's prefix everywhere but in us-east-1: "EU-BoxUsage".
        prefix = _REGION.match(line.usage_type)
        starts = {0} if prefix is None else {0, prefix.end()}
        return any(self.usage.match(line.usage_type, start) is not None for start in starts)


# Bills name a service by its code or by its long name. Instances are apart from volumes, because
# savings plans and reservations pay for instances only.
_EC2: Final = ("amazonec2", "elastic compute cloud", "amazonvpc", "virtual private cloud")
_RDS: Final = ("amazonrds", "relational database service")
_FAMILIES: Final = (
    _Family("ec2", re.compile(r"ec2/"), _EC2, re.compile(r"BoxUsage\b")),
    _Family("ebs", re.compile(r"ebs/"), _EC2, re.compile(r"EBS:")),
    _Family("ipv4", re.compile(r"vpc/public-ipv4$"), _EC2, re.compile(r"PublicIPv4:")),
    _Family("nat", re.compile(r"vpc/nat-gateway$"), _EC2, re.compile(r"NatGateway-Hours$")),
    _Family(
        "endpoint", re.compile(r"vpc/endpoint/"), _EC2, re.compile(r"VpcEndpoint-(?:GWLBE-)?Hours$")
    ),
    _Family(
        "elb",
        re.compile(r"elb/"),
        (*_EC2, "awselb", "load balancing"),
        re.compile(r"LoadBalancerUsage$"),
    ),
    _Family(
        "rds", re.compile(r"rds/db\."), _RDS, re.compile(r"(?:InstanceUsage|Multi-AZUsage):db\.")
    ),
    _Family("rds-storage", re.compile(r"rds/"), _RDS, re.compile(r"RDS:")),
    _Family(
        "elasticache",
        re.compile(r"elasticache/"),
        ("elasticache",),
        re.compile(r"NodeUsage:cache\."),
    ),
    _Family("lambda", re.compile(r"lambda/"), ("lambda",), re.compile(r"Lambda-GB-Second")),
    _Family(
        "dynamodb",
        re.compile(r"dynamodb/"),
        ("dynamodb",),
        re.compile(r"(?:Read|Write)CapacityUnit-Hrs"),
    ),
    _Family("kinesis", re.compile(r"kinesis/"), ("kinesis",), re.compile(r"Storage-ShardHour")),
    _Family(
        "s3-requests",
        re.compile(r"s3/transition/"),
        ("amazons3", "simple storage"),
        re.compile(r"Requests-"),
    ),
    _Family("s3", re.compile(r"s3/"), ("amazons3", "simple storage"), re.compile(r"TimedStorage-")),
    _Family(
        "ecr",
        re.compile(r"ecr/"),
        ("amazonecr", "container registry"),
        re.compile(r"TimedStorage-"),
    ),
    _Family("logs", re.compile(r"logs/"), ("cloudwatch",), re.compile(r"TimedStorage-")),
)


def family_of(key: str) -> str | None:
    """The family of a price of the book; None where bills cannot tell."""
    return next((family.name for family in _FAMILIES if family.of_key(key)), None)


def ratios(costs: Iterable[Rated]) -> dict[str, Decimal]:
    """Effective over list cost by family, rounded to 6 places.

    A family is left out unless its list cost is above 0 on at least `ENOUGH_DAYS` days, or where
    what was paid is negative.
    """
    found: dict[str, dict[date, list[Decimal]]] = defaultdict(dict)
    for one in costs:
        family = next((family.name for family in _FAMILIES if family.of_line(one.line)), None)
        if family is None:
            continue
        sums = found[family].setdefault(one.date, [Decimal(0), Decimal(0)])
        sums[0] += one.cost.list_cost
        sums[1] += one.cost.effective_cost
    known: dict[str, Decimal] = {}
    for family, days in found.items():
        ratio = _ratio([(listed, paid) for listed, paid in days.values() if listed > 0])
        if ratio is not None:
            known[family] = ratio
    return known


def _ratio(days: list[tuple[Decimal, Decimal]]) -> Decimal | None:
    if len(days) < ENOUGH_DAYS:
        return None
    with localcontext() as context:
        context.prec = _DIGITS
        listed = sum((day[0] for day in days), Decimal(0))
        paid = sum((day[1] for day in days), Decimal(0))
        return None if paid < 0 else (paid / listed).quantize(_PLACES, ROUND_HALF_EVEN)
