"""The time machine: checks and thresholds tried on a recorded inventory; nothing is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from tidegate.discovery.public import Inventory
from tidegate.findings.checks import EVALUATORS
from tidegate.findings.domain import State
from tidegate.findings.overlap import Claim, promised_twice, things_of
from tidegate.findings.prices.book import PriceBook
from tidegate.findings.repository import Thresholds
from tidegate.findings.service.evaluation import Found, Outcome, Rules, evaluate, regions
from tidegate.findings.service.thresholds import merged

MOST_CHANGES = 100


@dataclass
class Side:
    """What one set of thresholds finds."""

    found: int = 0
    monthly: Decimal = Decimal(0)
    outcomes: dict[tuple[str, str], State] = field(default_factory=dict)
    claims: list[Claim] = field(default_factory=list)

    def take(self, outcome: Outcome) -> None:
        """Count an outcome."""
        key = (outcome.check.check_id, outcome.line["arn"])
        if isinstance(outcome, Found):
            self.found += 1
            monthly = outcome.hit.saving.monthly or Decimal(0)
            self.monthly += monthly
            things = things_of(key[0], outcome.line["type"], key[1], outcome.hit.evidence)
            self.claims.append(Claim("/".join(key), key[0], monthly, things))
            self.outcomes[key] = "found"
        else:
            self.outcomes[key] = "unknown"

    def settle(self) -> None:
        """Count once what several checks promise; the outcomes of a region are in."""
        self.monthly -= promised_twice(self.claims)
        self.claims = []


@dataclass(frozen=True)
class Changed:
    """A resource that is judged differently."""

    check_id: str
    resource_arn: str
    before: State
    after: State


@dataclass(frozen=True)
class Simulation:
    """The outcome under the tenant's thresholds and under the tried ones."""

    snapshot_at: datetime | None
    before: Side
    after: Side
    changed: tuple[Changed, ...]


def simulate(
    inventories: Callable[[str, datetime | None], Inventory | None],
    account_ids: Sequence[str],
    check_ids: Sequence[str],
    prices: PriceBook,
    current: Thresholds,
    tried: Mapping[str, Mapping[str, Decimal]],
    snapshot_at: datetime | None,
) -> Simulation:
    """Evaluate the accounts' inventories of `snapshot_at` (None: the newest) twice.

    The same snapshots give the same answer: checks reckon with the time of the snapshot, and
    results are in order of check and resource.
    """
    evaluators = [check for check in EVALUATORS if check.check_id in check_ids]
    old = Rules(evaluators, prices, merged(current))
    new = Rules(evaluators, prices, merged(_over(current, tried)))
    before, after = Side(), Side()
    taken: list[datetime] = []
    for account_id in sorted(account_ids):
        inventory = inventories(account_id, snapshot_at)
        if inventory is None:
            continue
        taken.append(inventory.taken_at)
        for region in regions(inventory):
            evaluate(inventory, region, old, before.take)
            evaluate(inventory, region, new, after.take)
            before.settle()
            after.settle()
    return Simulation(
        snapshot_at=max(taken, default=None),
        before=before,
        after=after,
        changed=tuple(_changes(before, after)),
    )


def _over(current: Thresholds, tried: Mapping[str, Mapping[str, Any]]) -> Thresholds:
    return {
        check_id: {**current.get(check_id, {}), **tried.get(check_id, {})}
        for check_id in {*current, *tried}
    }


def _changes(before: Side, after: Side) -> list[Changed]:
    changed: list[Changed] = []
    for key in sorted({*before.outcomes, *after.outcomes}):
        was: State = before.outcomes.get(key, "clean")
        now: State = after.outcomes.get(key, "clean")
        if was != now:
            changed.append(Changed(*key, before=was, after=now))
        if len(changed) == MOST_CHANGES:
            break
    return changed
