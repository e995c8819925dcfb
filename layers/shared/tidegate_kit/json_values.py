"""What JSON values are and when they are equal: one meaning for schemas and conditions."""

from __future__ import annotations

from typing import Any


def kind_of(value: Any) -> str:
    """The JSON type of a value: null, boolean, number, string, list or object."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "list" if isinstance(value, list) else "object"


def equal(left: Any, right: Any) -> bool:
    """Equal type and value. 1 equals 1.0; "1", 1 and true differ; NaN equals nothing."""
    kind = kind_of(left)
    if kind != kind_of(right):
        return False
    if kind == "list":
        return len(left) == len(right) and all(
            equal(a, b) for a, b in zip(left, right, strict=True)
        )
    if kind == "object":
        return left.keys() == right.keys() and all(equal(left[key], right[key]) for key in left)
    return bool(left == right)
