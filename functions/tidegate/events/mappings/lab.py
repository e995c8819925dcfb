"""Lab table: model.promoted."""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.events.domain import Change, Draft


def lab_events(change: Change) -> Iterator[Draft]:
    """A model that was put in production. Its figures are in the lab, not in the event."""
    item = change.new
    if item is None or not change.sk.startswith("MODEL#"):
        return
    if change.became("stage") == "production":
        yield Draft(
            "model.promoted",
            {
                "model_id": item["id"],
                "experiment_id": item["experiment_id"],
                "run_id": item["run_id"],
                "model_type": item["model_type"],
                "version": int(item["version"]),
                "promoted_by": item["promoted_by"],
            },
        )
