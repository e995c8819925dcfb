"""Governance table: policy.changed, approval.*, and system.alert when policies cannot be asked."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from tidegate_kit.clock import iso

from tidegate.events.domain import Change, Draft, Item

_DECIDED = frozenset({"approved", "rejected"})


def governance_events(change: Change) -> Iterator[Draft]:
    """A policy's new version, what became of an approval, a decision that could not be made."""
    item = change.new
    if item is None:
        return
    if change.old is None and change.sk.startswith("POLICYV#"):
        data = {"policy_id": item["id"], "name": item["name"], "version": int(item["version"])}
        yield Draft("policy.changed", {**data, "change": item["change"]})
    elif change.old is None and change.sk.startswith("DECISION#") and item.get("problem"):
        yield Draft("system.alert", _alert(item))
    elif change.sk.startswith("APPROVAL#"):
        status = change.became("status")
        if change.old is None:
            yield Draft("approval.requested", _approval(item))
        elif status in _DECIDED:
            yield Draft("approval.decided", _approval(item))
        elif status == "expired":
            yield Draft("approval.expired", _approval(item))


def _alert(item: Item) -> dict[str, Any]:
    return {
        "severity": "critical",
        "component": "policy",
        "status": "denied",
        "message": f"Policies could not be evaluated for {item['action']}: it was denied.",
        "decision_id": item["id"],
    }


def _approval(item: Item) -> dict[str, Any]:
    return {
        "approval_id": item["id"],
        "subject_type": item["subject_type"],
        "subject_id": item["subject_id"],
        "title": item["title"],
        "status": item["status"],
        "quorum": int(item["quorum"]),
        "requested_by": item["requested_by"],
        "expires_at": iso(datetime.fromisoformat(item["expires_at"])),
    }
