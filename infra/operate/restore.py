"""Bring back rows of one table from its continuous backup, in place.

DynamoDB restores into a new table only. That table is made, read, and the rows wanted are put into
the living table: those that are missing, or with `overwrite` all. Then it is deleted. Writes of the
meantime stay, and the table keeps its name, stream and policies.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from infra.operate.target import OperationError, Target

_SECONDS = 3600.0


@dataclass(frozen=True)
class Restored:
    """How many rows the backup had, and how many were put back."""

    found: int
    written: int


def restore_rows(
    target: Target,
    logical: str,
    at: datetime | None,
    *,
    prefix: str = "",
    overwrite: bool = False,
    pause: Callable[[float], None] = time.sleep,
) -> Restored:
    """Put back rows whose `pk` begins with `prefix` (T#<tenant> for one tenant; empty: all).

    at: the instant to go back to; None: the latest restorable. Raises OperationError.
    """
    dynamodb, source = target.client("dynamodb"), target.table(logical)
    copy = f"{source}-restored-{int(time.time())}"
    when: dict[str, Any] = (
        {"UseLatestRestorableTime": True} if at is None else {"RestoreDateTime": at}
    )
    target.say(f"restoring {source} into {copy}")
    dynamodb.restore_table_to_point_in_time(SourceTableName=source, TargetTableName=copy, **when)
    try:
        _wait(dynamodb, copy, pause)
        return _put_back(target, dynamodb, copy, source, prefix, overwrite=overwrite)
    finally:
        dynamodb.delete_table(TableName=copy)
        target.say(f"deleted {copy}")


def _wait(dynamodb: Any, name: str, pause: Callable[[float], None]) -> None:
    waited = 0.0
    while dynamodb.describe_table(TableName=name)["Table"]["TableStatus"] != "ACTIVE":
        if waited > _SECONDS:
            raise OperationError(f"{name} is not ready after an hour; it is deleted again")
        pause(10.0)
        waited += 10.0


def _put_back(
    target: Target, dynamodb: Any, copy: str, source: str, prefix: str, *, overwrite: bool
) -> Restored:
    found = written = 0
    request: dict[str, Any] = {"TableName": copy, "ConsistentRead": True}
    if prefix:
        request["FilterExpression"] = "begins_with(pk, :prefix)"
        request["ExpressionAttributeValues"] = {":prefix": {"S": prefix}}
    for page in dynamodb.get_paginator("scan").paginate(**request):
        for row in page["Items"]:
            found += 1
            written += _put(dynamodb, source, row, overwrite=overwrite)
        target.say(f"{found} rows read, {written} put back")
    return Restored(found, written)


def _put(dynamodb: Any, table: str, row: dict[str, Any], *, overwrite: bool) -> int:
    # One by one and on condition: a row that was written meanwhile is newer than the backup.
    condition = {} if overwrite else {"ConditionExpression": "attribute_not_exists(pk)"}
    try:
        dynamodb.put_item(TableName=table, Item=row, **condition)
    except dynamodb.exceptions.ConditionalCheckFailedException:
        return 0
    return 1
