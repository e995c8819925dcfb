"""Reads records of a DynamoDB stream as Lambda gives them."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from tidegate_kit.clock import from_epoch

from tidegate.events.domain import Change, Item


class UnreadableRecord(ValueError):
    """Not a stream record of a table of this deployment."""


def sequence_of(record: Any) -> str:
    """The record's sequence number. Raises UnreadableRecord."""
    try:
        return str(record["dynamodb"]["SequenceNumber"])
    except (KeyError, TypeError) as error:
        raise UnreadableRecord("no sequence number") from error


def read_change(record: Any, table_prefix: str) -> Change:
    """The change that a record tells. Raises UnreadableRecord for anything else."""
    try:
        body = record["dynamodb"]
        keys = plain(body["Keys"])
        # arn:aws:dynamodb:<region>:<account>:table/<name>/stream/<label>
        name = record["eventSourceARN"].split("/")[1]
        change = Change(
            table=name.removeprefix(f"{table_prefix}-"),
            sequence=str(body["SequenceNumber"]),
            pk=keys["pk"],
            sk=keys["sk"],
            old=plain(body["OldImage"]) if "OldImage" in body else None,
            new=plain(body["NewImage"]) if "NewImage" in body else None,
            recorded_at=from_epoch(float(body["ApproximateCreationDateTime"])),
        )
    except (KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
        raise UnreadableRecord(repr(error)) from error
    if name == change.table:
        raise UnreadableRecord(f"{name} is not a table of this deployment")
    return change


def plain(image: Mapping[str, Any]) -> Item:
    """A stream image as plain values: text, Decimal, bool, None, bytes, set, list, dict."""
    return {name: _value(typed) for name, typed in image.items()}


def _value(typed: Mapping[str, Any]) -> Any:
    ((kind, value),) = typed.items()
    match kind:
        case "S" | "BOOL":
            return value
        case "N":
            return Decimal(value)
        case "NULL":
            return None
        case "B":
            return base64.b64decode(value)
        case "SS":
            return frozenset(value)
        case "NS":
            return frozenset(Decimal(number) for number in value)
        case "BS":
            return frozenset(base64.b64decode(octets) for octets in value)
        case "L":
            return [_value(part) for part in value]
        case "M":
            return plain(value)
    raise UnreadableRecord(f"unknown attribute type {kind}")
