"""Findings table: plans and their steps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tidegate.events.audit.act import Act, Actor, actor_of
from tidegate.events.domain import Change, Item

_STEPS = frozenset({"done", "refused_drift", "failed", "undone"})
_FAILED = frozenset({"failed", "partially_executed", "refused_drift"})


def plan_acts(change: Change) -> Iterator[Act]:
    """A plan that reached another status, and each step of its items."""
    item = change.new
    if item is None:
        return
    if change.sk.startswith("PLAN#"):
        status = change.became("status")
        if status is not None:
            details = {"plan_hash": item["plan_hash"]}
            yield _act(f"plan.{status}", status, _doer(item, status), "plan", item["id"], details)
    elif change.sk.startswith("PLANITEM#"):
        step = change.became("step")
        if step in _STEPS:
            details = {"plan_id": item["plan_id"]}
            yield _act(
                f"plan.step.{step}", step, Actor("system"), "plan_item", item["item_id"], details
            )


def _act(
    action: str, status: str, actor: Actor, kind: str, id_: str, details: dict[str, Any]
) -> Act:
    outcome: Any = "failure" if status in _FAILED else "success"
    return Act(action, actor, kind, id_, details, outcome)


def _doer(item: Item, status: str) -> Actor:
    """Who asked for what happens now; what follows from it is the platform's."""
    named = {
        "pending_approval": item.get("created_by"),
        "executing": item.get("executed_by"),
        "undoing": item.get("undone_by"),
    }
    return actor_of(named[status]) if named.get(status) else Actor("system")
