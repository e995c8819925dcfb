"""Workflows table: workflow.execution.*, approval.* of workflow steps."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from tidegate_kit.clock import iso

from tidegate.events.domain import Change, Draft, Item

_UNDER_WAY = frozenset({"running", "waiting"})
_ENDED = frozenset({"completed", "failed", "cancelled", "timed_out"})
_DECIDED = frozenset({"approved", "rejected"})


def workflow_events(change: Change) -> Iterator[Draft]:
    """An execution that started or ended, an approval that was asked for, decided or expired.

    Input, output and error texts stay out: they are the tenant's data, and archives outlive them.
    """
    item = change.new
    status = change.became("status")
    if item is None or status is None or change.pk != f"T#{change.tenant_id}":
        return
    if change.sk.startswith("EX#"):
        before = change.old["status"] if change.old is not None else None
        if status == "running" and before not in _UNDER_WAY:
            yield Draft("workflow.execution.started", _execution(item))
        elif status in _ENDED:
            yield Draft(f"workflow.execution.{status}", _execution(item))
    elif change.sk.startswith("APPROVAL#"):
        if change.old is None:
            yield Draft("approval.requested", _approval(item))
        elif status in _DECIDED:
            yield Draft("approval.decided", _approval(item))
        elif status == "expired":
            yield Draft("approval.expired", _approval(item))


def _execution(item: Item) -> dict[str, Any]:
    data = {
        "execution_id": item["id"],
        "workflow_id": item["workflow_id"],
        "workflow_version": int(item["workflow_version"]),
        "status": item["status"],
        "trigger": item["trigger"],
        "started_at": _moment(item["started_at"]),
        "completed_at": _moment(item.get("completed_at")),
    }
    if item.get("error") is not None:
        problem = json.loads(item["error"])
        data["error"] = {"code": problem["code"], "step_id": problem.get("step_id")}
    return data


def _approval(item: Item) -> dict[str, Any]:
    return {
        "approval_id": item["id"],
        "subject_type": "workflow_step",
        "execution_id": item["execution_id"],
        "workflow_id": item["workflow_id"],
        "step_id": item["step_id"],
        "title": item["title"],
        "status": item["status"],
        "quorum": int(item["quorum"]),
        "requested_by": item["requested_by"],
        "expires_at": _moment(item["expires_at"]),
    }


def _moment(stored: str | None) -> str | None:
    return None if stored is None else iso(datetime.fromisoformat(stored))
