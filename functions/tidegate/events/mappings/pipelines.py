"""Pipelines table: pipeline.completed, pipeline.failed, budget.exceeded."""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.events.domain import Change, Draft
from tidegate.events.mappings.budgets import budget_events

_BY_STATUS = {
    "completed": "pipeline.completed",
    "completed_with_gaps": "pipeline.completed",
    "failed": "pipeline.failed",
}


def pipeline_events(change: Change) -> Iterator[Draft]:
    """An execution that ended by itself; a cancelled one has no event type (EVT-4)."""
    yield from budget_events(change, "aws_api")
    item = change.new
    if item is None or not change.sk.startswith("EXEC#") or "pipeline" not in item:
        return
    status = change.became("status")
    if status not in _BY_STATUS:
        return
    data = {
        "execution_id": item["id"],
        "pipeline": item["pipeline"],
        "status": status,
        "trigger": item["trigger"],
    }
    yield Draft(_BY_STATUS[status], data)
