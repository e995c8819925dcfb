"""Plans, their items and the journal of what was done; no AWS, no storage (FND-5 to FND-10)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Literal

import rfc8785
from tidegate_kit.clock import iso

from tidegate.discovery.public import ResourceRef

PlanStatus = Literal[
    "pending_approval", "approved", "rejected", "expired", "cancelled", "executing", "executed",
    "partially_executed", "failed", "undoing", "undone",
]  # fmt: skip
ItemStatus = Literal["pending", "done", "refused_drift", "failed", "undone"]
# Where the executor is with an item. `acting` and `undoing` are written before the call that they
# name, so whoever comes after a kill knows that the call may have been made.
Step = Literal[
    "pending", "prepared", "acting", "done", "refused_drift", "failed", "undoing", "undone"
]
WAITING: Final[frozenset[str]] = frozenset({"pending_approval", "approved"})
RUNNING: Final[frozenset[str]] = frozenset({"executing", "undoing"})
ENDED_STEPS: Final[frozenset[str]] = frozenset({"done", "refused_drift", "failed", "undone"})
_SHOWN: Final[Mapping[str, ItemStatus]] = {
    "pending": "pending",
    "prepared": "pending",
    "acting": "pending",
    "done": "done",
    "undoing": "done",
    "refused_drift": "refused_drift",
    "failed": "failed",
    "undone": "undone",
}


@dataclass(frozen=True)
class PlanItem:
    """One approved action on one resource. Immutable.

    `price` is the finding's saving as it was approved: {monthly, currency, formula, quantities,
    prices}, decimals as text.
    """

    id: str
    finding_id: str
    check_id: str
    account_id: str
    onboarding_id: str
    region: str
    arn: str
    type: str
    tags: Mapping[str, str]
    fingerprint: str
    action: str
    parameters: Mapping[str, Any]
    price: Mapping[str, Any]
    reversible: bool

    @property
    def ref(self) -> ResourceRef:
        """The resource."""
        return ResourceRef(self.account_id, self.region, self.type, self.arn)

    @property
    def monthly(self) -> Decimal | None:
        """The saving in USD a month; None where a price is not known."""
        monthly = self.price.get("monthly")
        return None if monthly is None else Decimal(monthly)


@dataclass(frozen=True)
class PlanDecision:
    """What the policies said when the plan was made, for the whole plan."""

    effect: Literal["allow", "require_approval"]
    policy_ids: tuple[str, ...]
    policy_versions: Mapping[str, int]
    quorum: int
    approver_role: str


@dataclass(frozen=True)
class Person:
    """Who made the plan, as policies see him."""

    id: str
    roles: tuple[str, ...]
    email: str | None


@dataclass(frozen=True)
class Plan:
    """A plan. Items, hash, decision and times never change; status and runs do.

    `run_id` is the Step Functions execution that goes on or went last; `undo_items` are those that
    an undo works on; `due_at` is when somebody must look at the plan again (None: never).
    """

    id: str
    status: PlanStatus
    plan_hash: str
    items: tuple[PlanItem, ...]
    decision: PlanDecision
    created_by: Person
    created_at: datetime
    expires_at: datetime
    approval_id: str | None = None
    execution_id: str | None = None
    executed_by: str | None = None
    executed_at: datetime | None = None
    run_id: str | None = None
    run_deadline_at: datetime | None = None
    undo_items: tuple[str, ...] = ()
    undone_by: str | None = None
    due_at: datetime | None = None
    request_id: str | None = None
    version: int = 1

    def item(self, item_id: str) -> PlanItem | None:
        """One item."""
        return next((item for item in self.items if item.id == item_id), None)

    @property
    def irreversible(self) -> bool:
        """True when an item cannot be undone (FND-10)."""
        return not all(item.reversible for item in self.items)

    def intact(self) -> bool:
        """True while items and expiry are those that were hashed."""
        return plan_hash(self.items, self.expires_at) == self.plan_hash


def plan_hash(items: Sequence[PlanItem], expires_at: datetime) -> str:
    """SHA-256 (hex) of the RFC 8785 JSON of the sorted items (FND-5)."""
    parts = sorted((hashed_part(item, expires_at) for item in items), key=rfc8785.dumps)
    return hashlib.sha256(rfc8785.dumps(parts)).hexdigest()


def hashed_part(item: PlanItem, expires_at: datetime) -> dict[str, Any]:
    """What of an item an approval binds to."""
    return {
        "resource": {
            "arn": item.arn,
            "type": item.type,
            "account_id": item.account_id,
            "onboarding_id": item.onboarding_id,
            "region": item.region,
        },
        "fingerprint": item.fingerprint,
        "action": item.action,
        "parameters": dict(item.parameters),
        "price": dict(item.price),
        "expiry": iso(expires_at),
    }


@dataclass(frozen=True)
class Problem:
    """Why something was not done: a code for programs, a sentence for people."""

    code: str
    message: str


@dataclass(frozen=True)
class Entry:
    """The journal of one item: where it stands, and all that its undo needs (FND-9).

    `captured` is written before the act. `restored` is what an undo made. `looks` counts how often
    AWS was asked whether it is finished. `expected` is the fingerprint that an action outside plans
    was decided on; a plan's items have their own.
    """

    plan_id: str
    item_id: str
    step: Step = "pending"
    captured: Mapping[str, Any] = field(default_factory=dict)
    result: Mapping[str, Any] = field(default_factory=dict)
    restored: Mapping[str, Any] = field(default_factory=dict)
    problem: Problem | None = None
    looks: int = 0
    acted_at: datetime | None = None
    undo_until: datetime | None = None
    undone_at: datetime | None = None
    expected: str = ""
    version: int = 0

    @property
    def status(self) -> ItemStatus:
        """The item's status in contract terms."""
        return _SHOWN[self.step]

    def to(self, step: Step, **changes: Any) -> Entry:
        """The entry one step on; looks start again unless they are given."""
        return replace(self, **{"looks": 0, "problem": None, **changes, "step": step})


@dataclass(frozen=True)
class LedgerEntry:
    """What one executed action was said to save, and what it was measured to save (FND-11).

    `measured`: {days: USD over these days, or None where costs do not tell}.
    """

    id: str
    plan_id: str
    item_id: str
    finding_id: str
    check_id: str
    account_id: str
    service: str
    estimated_monthly: Decimal | None
    acted_at: datetime
    undone_at: datetime | None = None
    measured: Mapping[int, Decimal | None] = field(default_factory=dict)
    version: int = 1


def outcome(entries: Sequence[Entry]) -> PlanStatus:
    """The status of a plan whose run has ended."""
    steps = [entry.status for entry in entries]
    if any(step == "undone" for step in steps):
        return "partially_executed" if "done" in steps else "undone"
    done = steps.count("done")
    if done == len(steps):
        return "executed"
    return "partially_executed" if done else "failed"
