"""The one meaning of every operator. TRUTH_TABLE.md publishes it and is executed as a test."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from tidegate_kit.json_values import equal, kind_of

from tidegate.workflows.conditions.schema import MAX_DEPTH
from tidegate.workflows.templating import MISSING, MissingValueError

# An ISO 8601 date-time; group 1 is its zone.
_DATE_TIME: Final = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(Z|z|[+-]\d\d:?\d\d)?"
)


class ConditionError(Exception):
    """The operands do not fit the operator; fails the step."""

    code = "CONDITION_TYPE"

    def __init__(self, message: str) -> None:
        self.message = message
        super().__init__(message)


def evaluate(cond: dict[str, Any], resolve: Callable[[Any], Any]) -> bool:
    """The truth of a well-shaped condition. `resolve` fills the templates of one operand.

    `all` and `any` go left to right and stop as soon as the answer is known, so a presence test
    can guard the comparison after it. Raises MissingValueError, ConditionError.
    """
    return _evaluate(cond, resolve, 1)


def _evaluate(cond: dict[str, Any], resolve: Callable[[Any], Any], depth: int) -> bool:
    if depth > MAX_DEPTH:
        raise ConditionError(f"A condition nests at most {MAX_DEPTH} levels.")
    if "all" in cond:
        return all(_evaluate(member, resolve, depth + 1) for member in cond["all"])
    if "any" in cond:
        return any(_evaluate(member, resolve, depth + 1) for member in cond["any"])
    if "not" in cond:
        return not _evaluate(cond["not"], resolve, depth + 1)
    op = cond["op"]
    presence = _PRESENCE.get(op)
    if presence is not None:
        try:
            return presence(resolve(cond["left"]))
        except MissingValueError:
            return presence(MISSING)
    return _COMPARISONS[op](resolve(cond["left"]), resolve(cond["right"]))


def order(left: Any, right: Any) -> int:
    """-1, 0 or 1. Numbers by value, date-times with a zone by instant, other text by code point.

    Raises ConditionError for other types, for NaN, and for a date-time with a zone against one
    without, which have no order.
    """
    kinds = kind_of(left), kind_of(right)
    if kinds == ("number", "number"):
        if _is_nan(left) or _is_nan(right):
            raise ConditionError("NaN has no order.")
        return int(left > right) - int(left < right)
    if kinds != ("string", "string"):
        raise ConditionError(f"A {kinds[0]} and a {kinds[1]} have no order.")
    first, second = _date_time(left), _date_time(right)
    if first is None or second is None:
        return int(left > right) - int(left < right)
    if first[1] != second[1]:
        raise ConditionError("A date-time with a zone and one without have no order.")
    return int(first[0] > second[0]) - int(first[0] < second[0])


def _is_nan(value: float) -> bool:
    # An int may be too large for a float, and is never NaN.
    return isinstance(value, float) and math.isnan(value)


def _date_time(text: str) -> tuple[datetime, bool] | None:
    """(date-time, has a zone) of ISO 8601 text, or None."""
    match = _DATE_TIME.fullmatch(text)
    if match is None:
        return None
    try:
        return datetime.fromisoformat(text.upper()), match.group(1) is not None
    except ValueError:
        return None


def _contains(left: Any, right: Any) -> bool:
    if isinstance(left, list):
        return any(equal(item, right) for item in left)
    if isinstance(left, str) and isinstance(right, str):
        return right in left
    raise ConditionError(f"A {kind_of(left)} cannot contain a {kind_of(right)}.")


def _is_in(left: Any, right: Any) -> bool:
    if not isinstance(right, list):
        raise ConditionError(f"'in' needs a list, not a {kind_of(right)}.")
    return _contains(right, left)


def _texts(left: Any, right: Any) -> tuple[str, str]:
    if isinstance(left, str) and isinstance(right, str):
        return left, right
    raise ConditionError(f"This operator needs text, not {kind_of(left)} and {kind_of(right)}.")


def _starts_with(left: Any, right: Any) -> bool:
    text, part = _texts(left, right)
    return text.startswith(part)


def _ends_with(left: Any, right: Any) -> bool:
    text, part = _texts(left, right)
    return text.endswith(part)


def _is_empty(value: Any) -> bool:
    return value is MISSING or value is None or value == "" or value == [] or value == {}


_PRESENCE: Final[dict[str, Callable[[Any], bool]]] = {
    "exists": lambda value: value is not MISSING,
    "not_exists": lambda value: value is MISSING,
    "is_empty": _is_empty,
    "not_empty": lambda value: not _is_empty(value),
}
_COMPARISONS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "eq": equal,
    "ne": lambda left, right: not equal(left, right),
    "gt": lambda left, right: order(left, right) > 0,
    "gte": lambda left, right: order(left, right) >= 0,
    "lt": lambda left, right: order(left, right) < 0,
    "lte": lambda left, right: order(left, right) <= 0,
    "in": _is_in,
    "not_in": lambda left, right: not _is_in(left, right),
    "contains": _contains,
    "not_contains": lambda left, right: not _contains(left, right),
    "starts_with": _starts_with,
    "ends_with": _ends_with,
}
