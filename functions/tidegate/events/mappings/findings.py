"""Findings table: finding.opened, resolved; plan.approved, executed, undone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tidegate.events.domain import Change, Draft, Item

_RUN_ENDED = frozenset({"executed", "partially_executed", "failed"})


def findings_events(change: Change) -> Iterator[Draft]:
    """What became of a finding or a plan."""
    if change.new is None:
        return
    if change.sk.startswith("FINDING#"):
        yield from _finding_events(change, change.new)
    elif change.sk.startswith("PLAN#"):
        yield from _plan_events(change, change.new)


def _finding_events(change: Change, item: Item) -> Iterator[Draft]:
    """Opened: new, or back after it was resolved. An exception or a plan is neither."""
    status = change.became("status")
    before = None if change.old is None else change.old.get("status")
    if status == "resolved":
        yield Draft("finding.resolved", _finding(item))
    elif status == "open" and before in (None, "resolved"):
        yield Draft("finding.opened", _finding(item))


def _finding(item: Item) -> dict[str, Any]:
    return {
        "finding_id": item["id"],
        "check_id": item["check_id"],
        "group": item["group"],
        "account_id": item["account_id"],
        "region": item["region"],
    }


def _plan_events(change: Change, item: Item) -> Iterator[Draft]:
    """Approved, a run forward that has ended (the status says how), a run back that has."""
    status = change.became("status")
    before = None if change.old is None else change.old.get("status")
    if status == "approved":
        yield Draft("plan.approved", _plan(item))
    elif before == "executing" and status in _RUN_ENDED:
        yield Draft("plan.executed", _plan(item))
    elif before == "undoing" and status is not None:
        yield Draft("plan.undone", _plan(item))


def _plan(item: Item) -> dict[str, Any]:
    return {
        "plan_id": item["id"],
        "plan_hash": item["plan_hash"],
        "status": item["status"],
        "items": int(item["item_count"]),
        "created_by": item["created_by"],
    }
