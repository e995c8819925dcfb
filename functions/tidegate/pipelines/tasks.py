"""Entry points of the state machine, of the schedule, and of events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tidegate_kit.budgets import sweep
from tidegate_kit.clock import system_clock
from tidegate_kit.ids import is_id
from tidegate_kit.observability import logger
from tidegate_kit.tenancy import TenantScope

from tidegate.pipelines import wiring
from tidegate.pipelines.budget import budget_store
from tidegate.pipelines.service import engine
from tidegate.pipelines.service.ticks import repair, start_due
from tidegate.pipelines.stages import WORKS


def work(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """One task of an execution: {task, tenant_id, execution_id, error?}; ids only in and out."""
    if event.get("tidegate_ping"):
        return {"pong": True}
    wiring.start_task()
    tenant_id, execution_id = str(event["tenant_id"]), str(event["execution_id"])
    logger.append_keys(tenant_id=tenant_id, execution_id=execution_id)
    parts = wiring.parts_of(TenantScope(tenant_id), context)
    ids = {"tenant_id": tenant_id, "execution_id": execution_id}
    if event["task"] == "fail":
        engine.fail(parts, execution_id, str(event.get("error")))
        return {**ids, "done": True, "wait": False}
    outcome = engine.run(parts, WORKS, execution_id)
    return {**ids, "done": outcome == "done", "wait": outcome == "wait"}


def tick(event: Mapping[str, Any], context: object) -> dict[str, int]:
    """Every 5 minutes: start what is due, repair what died, release what was left reserved."""
    wiring.start_task()
    parts = wiring.tick_parts()
    counts = {
        "started": start_due(parts),
        "repaired": repair(parts),
        "released": sweep(wiring.reservations(), budget_store, system_clock),
    }
    logger.info("pipelines ticked", extra=counts)
    return counts


def follow_accounts(event: Mapping[str, Any], context: object) -> None:
    """EventBridge account.connected: its tenant's pipelines have schedules from now on (EVT-6)."""
    wiring.start_task()
    detail = event.get("detail", {})
    tenant_id = str(detail.get("tenant_id", ""))
    if event.get("detail-type") != "account.connected" or not is_id(tenant_id):
        logger.warning("not an event that pipelines follow; dropped")
        return
    wiring.runs_of(tenant_id).ensure_schedules()
