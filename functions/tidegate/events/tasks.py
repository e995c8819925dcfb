"""Entry point of the table streams."""

from __future__ import annotations

from typing import Any

from tidegate.events import wiring


def publish(event: dict[str, Any], context: object) -> dict[str, list[dict[str, str]]]:
    """A batch of DynamoDB stream records: publish its events, name the records to bring again."""
    failed = wiring.publisher().publish(event["Records"])
    return {"batchItemFailures": [{"itemIdentifier": sequence} for sequence in failed]}


def dead_letter(event: dict[str, Any], context: object) -> dict[str, list[dict[str, str]]]:
    """Messages of the dead-letter queue: raise `system.alert`, then keep them in the archive.

    A message leaves the queue only after both; brought again, it raises the alert under the same
    id. The archive is what an operator redrives from.
    """
    if event.get("tidegate_ping"):
        return {"batchItemFailures": []}
    failed = wiring.dead_letters().take(event["Records"])
    return {"batchItemFailures": [{"itemIdentifier": number} for number in failed]}
