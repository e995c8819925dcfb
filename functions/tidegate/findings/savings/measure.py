"""Measuring one executed action against a counterfactual; pure.

Nobody is billed by resource, so an action is measured where its cost shows: the daily costs of its
service in its account. What these would have been without the action is their mean of the 14 days
before, moved as the account's other services moved meanwhile (difference in differences, as a
ratio). Actions on one service at about the same time share what was saved by their estimates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Final

from tidegate.findings.plans.domain import LedgerEntry

WINDOWS: Final = (7, 30)  # days after the action (FND-11)
BEFORE_DAYS: Final = 14
MONTH_DAYS: Final = Decimal(365) / 12
_ENOUGH_BEFORE: Final = 7
_PATIENCE: Final = 3  # days that AWS may need to tell the costs of a day

# Cost Explorer's names of the services in which actions show.
COST_SERVICES: Final[Mapping[str, str]] = {
    "ec2.delete_volume": "EC2 - Other",
    "ec2.modify_volume": "EC2 - Other",
    "ec2.stop_instance": "Amazon Elastic Compute Cloud - Compute",
    "ec2.create_tags": "Amazon Elastic Compute Cloud - Compute",
    "rds.stop_instance": "Amazon Relational Database Service",
    "rds.modify_storage": "Amazon Relational Database Service",
    "lambda.set_memory": "AWS Lambda",
    "dynamodb.set_capacity": "Amazon DynamoDB",
    "logs.put_retention": "AmazonCloudWatch",
    "s3.put_lifecycle": "Amazon Simple Storage Service",
    "s3.abort_multipart": "Amazon Simple Storage Service",
    "ec2.release_address": "Amazon Virtual Private Cloud",
    "ec2.delete_snapshot": "EC2 - Other",
    "ec2.deregister_image": "EC2 - Other",
    "ec2.delete_nat_gateway": "EC2 - Other",
    "ec2.delete_vpc_endpoint": "Amazon Virtual Private Cloud",
    "elb.delete_load_balancer": "Amazon Elastic Load Balancing",
    "ecr.put_lifecycle": "Amazon EC2 Container Registry (ECR)",
}
Costs = Mapping[date, Decimal]


@dataclass(frozen=True)
class Measured:
    """The outcome of one window: an amount, or None where costs do not tell."""

    days: int
    amount: Decimal | None


def window(entry: LedgerEntry, days: int) -> list[date]:
    """The days that count: whole ones after the action, until its undo."""
    first = entry.acted_at.date() + timedelta(days=1)
    found = [first + timedelta(days=number) for number in range(days)]
    if entry.undone_at is not None:
        found = [day for day in found if day < entry.undone_at.date()]
    return found


def due(entry: LedgerEntry, day: date) -> list[int]:
    """The windows that are over on `day` and not measured."""
    acted = entry.acted_at.date()
    return [
        days
        for days in WINDOWS
        if days not in entry.measured and day > acted + timedelta(days=days)
    ]


def measure(
    entry: LedgerEntry,
    days: int,
    service: Costs,
    account: Costs,
    peers: Sequence[LedgerEntry],
    day: date,
) -> Measured | None:
    """What the action saved within the window, in USD; None: ask again when costs are known.

    `service` and `account` are daily costs of the action's service and of the whole account.
    `peers` are the other actions on the same service of the account.
    """
    after = window(entry, days)
    if not after:
        return Measured(days, Decimal(0))
    start = entry.acted_at.date()
    before = [start - timedelta(days=number) for number in range(1, BEFORE_DAYS + 1)]
    before = [one for one in before if one in service and one in account]
    if len(before) < _ENOUGH_BEFORE or any(one not in service for one in after):
        late = day > start + timedelta(days=days + _PATIENCE)
        return Measured(days, None) if late else None
    expected = _mean(service, before) * _trend(service, account, before, after)
    saved = sum((expected - service[one] for one in after), Decimal(0))
    part, whole = _share(entry, peers, days)
    return Measured(days, saved * part / whole)


def _mean(costs: Costs, days: Sequence[date]) -> Decimal:
    return sum((costs[day] for day in days), Decimal(0)) / len(days)


def _trend(
    service: Costs, account: Costs, before: Sequence[date], after: Sequence[date]
) -> Decimal:
    """How the account's other services moved; 1 where there are none to compare with."""
    others = {day: account[day] - service[day] for day in account if day in service}
    if any(day not in others for day in after):
        return Decimal(1)
    level = _mean(others, before)
    return _mean(others, after) / level if level > 0 else Decimal(1)


def _share(entry: LedgerEntry, peers: Sequence[LedgerEntry], days: int) -> tuple[Decimal, Decimal]:
    """The entry's part of what was saved, and the whole."""
    near = [
        peer
        for peer in peers
        if peer.id != entry.id and abs((peer.acted_at - entry.acted_at).days) <= days
    ]
    own = entry.estimated_monthly or Decimal(0)
    total = own + sum((peer.estimated_monthly or Decimal(0) for peer in near), Decimal(0))
    return (own, total) if total > 0 else (Decimal(1), Decimal(len(near) + 1))


def daily(entry: LedgerEntry) -> Decimal | None:
    """USD a day by the longest window that could be measured."""
    for days in sorted(entry.measured, reverse=True):
        amount, counted = entry.measured[days], len(window(entry, days))
        if amount is not None and counted:
            return amount / counted
    return None


def realised(entry: LedgerEntry, today: date) -> Decimal | None:
    """USD saved so far; None until something was measured. An undone action saves no more."""
    rate = daily(entry)
    if rate is None:
        return None
    end = today if entry.undone_at is None else min(today, entry.undone_at.date())
    return rate * max(0, (end - entry.acted_at.date()).days)


def calibration(entries: Sequence[LedgerEntry]) -> dict[str, tuple[Decimal, int]]:
    """By check: measured over estimated monthly savings, and of how many actions."""
    sums: dict[str, tuple[Decimal, Decimal, int]] = {}
    for entry in entries:
        rate, estimate = daily(entry), entry.estimated_monthly
        if rate is None or estimate is None or estimate <= 0:
            continue
        measured, estimated, count = sums.get(entry.check_id, (Decimal(0), Decimal(0), 0))
        sums[entry.check_id] = (measured + rate * MONTH_DAYS, estimated + estimate, count + 1)
    return {check: (one[0] / one[1], one[2]) for check, one in sums.items()}
