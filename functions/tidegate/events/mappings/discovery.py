"""Discovery table: discovery.completed."""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.events.domain import Change, Draft

_COMPLETED = frozenset({"completed", "completed_with_gaps"})


def discovery_events(change: Change) -> Iterator[Draft]:
    """A run that reached its end, with or without gaps. A failed run has no event type (EVT-4)."""
    if not change.sk.startswith("RUN#") or change.new is None:
        return
    if change.became("status") in _COMPLETED:
        item = change.new
        yield Draft(
            "discovery.completed",
            {
                "run_id": item["id"],
                "onboarding_id": item["onboarding_id"],
                "account_id": item["account_id"],
                "status": item["status"],
            },
        )
