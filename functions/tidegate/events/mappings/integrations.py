"""Integrations table: webhook.dead_lettered, integration.unhealthy, alerts of disabled webhooks."""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.events.domain import Change, Draft

_DEAD_LETTERED = "webhook.dead_lettered"


def integration_events(change: Change) -> Iterator[Draft]:
    """A delivery that was given up, a webhook that was disabled for it, an account that fails.

    Addresses stay out: they may hold a token. A dead letter about a dead letter tells no more.
    """
    item = change.new
    if item is None:
        return
    if change.sk.startswith("DELIVERY#"):
        if change.became("status") == "dead" and item["event_type"] != _DEAD_LETTERED:
            status = item.get("last_status_code")
            yield Draft(
                _DEAD_LETTERED,
                {
                    "webhook_id": item["webhook_id"],
                    "delivery_id": item["id"],
                    "event_type": item["event_type"],
                    "attempts": int(item["attempts"]),
                    "last_status_code": None if status is None else int(status),
                },
            )
    elif change.sk.startswith("HEALTH#") and change.became("status") == "unhealthy":
        yield Draft(
            "integration.unhealthy",
            {"account_id": item["id"], "user_id": change.pk.rpartition("#")[2]},
        )
    elif change.sk.startswith("WEBHOOK#") and change.became("disabled_reason") is not None:
        yield Draft(
            "system.alert",
            {
                "severity": "warning",
                "component": "webhook",
                "status": "disabled",
                "message": f"Webhook {item['id']}: {item['disabled_reason']}",
                "webhook_id": item["id"],
            },
        )
