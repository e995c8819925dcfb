"""Entry points without HTTP: the training task and the follower of the table's stream."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tidegate_kit.observability import logger
from tidegate_kit.streams import follow_each
from tidegate_kit.tenancy import TenantScope

from tidegate.lab import wiring
from tidegate.lab.domain import LIVING
from tidegate.lab.service.machine import Machine

# What the state machine says about the end of a task, and what the user may read of it.
_REASONS = {
    "ServiceUnavailable": "A service of the platform did not answer.",
    "States.Timeout": "The training took too long.",
    "Sandbox.Timedout": "The training took too long.",
}
_OTHER = "The training stopped; the reason is in the platform's log."


def train(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """Step Functions: {task: train | fail, tenant_id, run_id, error?}; ids only in and out."""
    if event.get("tidegate_ping"):
        return {"pong": True}
    wiring.start_task()
    tenant_id, run_id = str(event["tenant_id"]), str(event["run_id"])
    logger.thread_safe_append_keys(tenant_id=tenant_id, run_id=run_id)
    try:
        training = wiring.services_of(TenantScope(tenant_id)).training
        if event["task"] == "train":
            done = training.train(run_id)
        else:
            done = training.fail(run_id, _REASONS.get(str(event.get("error")), _OTHER))
    finally:
        logger.thread_safe_clear_keys()
    return {"tenant_id": tenant_id, "run_id": run_id, "done": done}


def follow(event: Mapping[str, Any], context: object) -> dict[str, list[dict[str, str]]]:
    """Stream of the table: launch queued runs, stop what was cancelled or deleted.

    Everything here may be repeated. Names the records to bring again (H8).
    """
    machine = wiring.machine()
    return follow_each(
        event, lambda change: _follow(machine, change), "a change of the lab table was not followed"
    )


def _follow(machine: Machine, change: Mapping[str, Any]) -> None:
    new, old = change.get("NewImage", {}), change.get("OldImage", {})
    if not _text(new or old, "sk").startswith("RUN#"):
        return
    before, after = _text(old, "status"), _text(new, "status")
    if after == "queued" and before == "":
        machine.launch(_text(new, "tenant_id"), _text(new, "id"))
    elif before in LIVING and after in ("cancelled", ""):
        machine.stop(_text(old, "id"))


def _text(image: Mapping[str, Any], name: str) -> str:
    return str(image.get(name, {}).get("S", ""))
