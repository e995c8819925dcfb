"""Approvals, of either keeper: asked for, voted on, closed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tidegate.events.audit.act import Act, Actor, actor_of
from tidegate.events.domain import Change, Item


def approval_acts(change: Change) -> Iterator[Act]:
    """An approval that was asked for, each vote, and how it ended. Comments stay out."""
    item = change.new
    if item is None or not change.sk.startswith("APPROVAL#"):
        return
    details = {"subject": _subject(item), "subject_hash": item["subject_hash"]}
    if change.old is None:
        asked = actor_of(item["requested_by"])
        yield Act("approval.requested", asked, "approval", item["id"], details)
    before = len(_votes(change.old)) if change.old is not None else 0
    for vote in _votes(item)[before:]:
        voter = Actor("user", vote["user_id"], vote["email"])
        action = "approval.approve" if vote["decision"] == "approve" else "approval.reject"
        yield Act(action, voter, "approval", item["id"], details)
    status = change.became("status")
    if status is not None and status != "pending":
        yield Act(f"approval.{status}", _closer(item), "approval", item["id"], details)


def _votes(item: Item) -> list[dict[str, Any]]:
    stored = item["votes"]
    read: list[dict[str, Any]] = json.loads(stored) if isinstance(stored, str) else stored
    return read


def _closer(item: Item) -> Actor:
    if item.get("closed_by"):
        return actor_of(item["closed_by"])
    votes = _votes(item)
    if item["status"] in ("approved", "rejected") and votes:
        return Actor("user", votes[-1]["user_id"], votes[-1]["email"])
    return Actor("system")


def _subject(item: Item) -> dict[str, str]:
    if "subject_type" in item:
        return {"type": item["subject_type"], "id": item["subject_id"]}
    return {"type": "workflow_step", "id": f"{item['execution_id']}/{item['step_id']}"}
