"""Consumers of table streams: one bad record does not hold up or repeat the others (EVT-5)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tidegate_kit.observability import logger


def follow_each(
    event: Mapping[str, Any], follow: Callable[[Mapping[str, Any]], None], failure: str
) -> dict[str, list[dict[str, str]]]:
    """Hand the change of each record to `follow`; the answer names the records to bring again.

    A change holds NewImage and OldImage where there are such. Whatever `follow` raises is logged
    under `failure`.
    """
    failed: list[dict[str, str]] = []
    for record in event["Records"]:
        try:
            follow(record.get("dynamodb", {}))
        except Exception:
            logger.exception(failure)
            failed.append({"itemIdentifier": record["dynamodb"]["SequenceNumber"]})
    return {"batchItemFailures": failed}
