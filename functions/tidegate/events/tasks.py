"""Entry point of the table streams."""

from __future__ import annotations

from typing import Any

from tidegate.events import wiring


def publish(event: dict[str, Any], context: object) -> dict[str, list[dict[str, str]]]:
    """A batch of DynamoDB stream records: publish its events, name the records to bring again."""
    failed = wiring.publisher().publish(event["Records"])
    return {"batchItemFailures": [{"itemIdentifier": sequence} for sequence in failed]}
