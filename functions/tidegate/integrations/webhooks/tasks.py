"""Entry points of the event bus, the table's stream and the delivery machine."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tidegate_kit.streams import follow_each
from tidegate_kit.tenancy import TenantScope

from tidegate.integrations.webhooks import wiring
from tidegate.integrations.webhooks.machine import engine_of
from tidegate.integrations.webhooks.service.outbox import Told
from tidegate.workflows.public.outcomes import webhook_url

_EXECUTION_ENDED = frozenset(
    f"workflow.execution.{status}" for status in ("completed", "failed", "cancelled", "timed_out")
)


def dispatch(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """An event of the bus (EVT-4): make its deliveries; the same event again makes none.

    An event of no tenant concerns the platform alone and is not delivered.
    """
    if event.get("tidegate_ping"):
        return {"pong": True}
    wiring.start_task()
    detail = event["detail"]
    if detail.get("tenant_id") is None:
        return {"deliveries": []}
    scope = TenantScope(str(detail["tenant_id"]))
    told = Told(
        type=str(event["detail-type"]),
        data=detail["data"],
        source_id=str(detail["id"]),
        occurred_at=datetime.fromisoformat(detail["occurred_at"]),
    )
    made = wiring.outbox_of(scope).tell(told)
    if told.type in _EXECUTION_ENDED:
        made += _tell_asker(scope, told)
    return {"deliveries": made}


def _tell_asker(scope: TenantScope, told: Told) -> list[str]:
    """Whoever gave a webhook_url at the start gets the outcome there (WF-13)."""
    execution_id = str(told.data["execution_id"])
    url = webhook_url(scope, execution_id)
    if url is None:
        return []
    # Named after the execution: its status event alone may come under another id one day.
    source = f"execution:{execution_id}:{told.type}"
    asked = Told(told.type, {}, source, told.occurred_at, execution_id)
    return [wiring.outbox_of(scope).tell_url(asked, url)]


def follow(event: Mapping[str, Any], context: object) -> dict[str, list[dict[str, str]]]:
    """Stream of the table `integrations`: start the machine of each new round of a delivery."""
    if event.get("tidegate_ping"):
        return {"batchItemFailures": []}
    wiring.start_task()
    return follow_each(event, _follow, "a change of the integrations table was not followed")


def _follow(change: Mapping[str, Any]) -> None:
    new, old = change.get("NewImage", {}), change.get("OldImage", {})
    if new.get("kind", {}).get("S") != "delivery":
        return
    started = new["round"] == old.get("round")
    if started or new["status"]["S"] not in ("pending", "failed"):
        return
    scope = TenantScope(new["tenant_id"]["S"])
    wiring.launch(scope, new["id"]["S"], int(new["round"]["N"]))


def attempt(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """Delivery machine: {tenant_id, delivery_id, round} in; the same and {next, seconds} out."""
    if event.get("tidegate_ping"):
        return {"pong": True}
    wiring.start_task()
    ids = {name: event[name] for name in ("tenant_id", "delivery_id", "round")}
    engine = engine_of(TenantScope(str(ids["tenant_id"])))
    coming = engine.attempt(str(ids["delivery_id"]), int(ids["round"]))
    return {**ids, "next": coming.next, "seconds": coming.seconds}


def machine_ended(event: Mapping[str, Any], context: object) -> dict[str, bool]:
    """EventBridge, "Step Functions Execution Status Change": a delivery's machine that died."""
    if event.get("tidegate_ping"):
        return {"restarted": False}
    wiring.start_task()
    given = json.loads(event["detail"].get("input") or "{}")
    if not {"tenant_id", "delivery_id", "round"} <= set(given):
        return {"restarted": False}
    engine = engine_of(TenantScope(str(given["tenant_id"])))
    return {"restarted": engine.restart(str(given["delivery_id"]), int(given["round"]))}
