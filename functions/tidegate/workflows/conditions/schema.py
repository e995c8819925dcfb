"""The shape of a condition: {left, op, right?}, {all: []}, {any: []} or {not: Cond}."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

MAX_DEPTH: Final = 5
MAX_TERMS: Final = 100

_UNARY: Final = frozenset({"exists", "not_exists", "is_empty", "not_empty"})
_EQUALITY: Final = frozenset({"eq", "ne"})
_ORDER: Final = frozenset({"gt", "gte", "lt", "lte"})
_MEMBERSHIP: Final = frozenset({"in", "not_in", "contains", "not_contains"})
_TEXT: Final = frozenset({"starts_with", "ends_with"})
_BINARY: Final = _EQUALITY | _ORDER | _MEMBERSHIP | _TEXT
OPERATORS: Final = _UNARY | _BINARY
_GROUPS: Final = ("all", "any")


def is_unary(op: str) -> bool:
    """True for the operators that test presence and take no right operand."""
    return op in _UNARY


def condition_problems(cond: object, place: str) -> Iterator[tuple[str, str]]:
    """(JSON path, sentence) of everything wrong with a condition's shape. Never raises."""
    terms = [0]
    yield from _problems(cond, place, 1, terms)
    if terms[0] > MAX_TERMS:
        yield place, f"A condition has at most {MAX_TERMS} terms."


def _problems(cond: object, place: str, depth: int, terms: list[int]) -> Iterator[tuple[str, str]]:
    if depth > MAX_DEPTH:
        yield place, f"A condition nests at most {MAX_DEPTH} levels."
        return
    if not isinstance(cond, dict):
        yield place, "A condition is {left, op, right}, {all}, {any} or {not}."
        return
    terms[0] += 1
    if terms[0] > MAX_TERMS:
        return
    for group in _GROUPS:
        if group in cond:
            yield from _group(cond, group, place, depth, terms)
            return
    if "not" in cond:
        yield from _unknown_keys(cond, {"not"}, place)
        yield from _problems(cond["not"], f"{place}.not", depth + 1, terms)
        return
    yield from _comparison(cond, place)


def _group(
    cond: dict[str, Any], group: str, place: str, depth: int, terms: list[int]
) -> Iterator[tuple[str, str]]:
    yield from _unknown_keys(cond, {group}, place)
    members = cond[group]
    if not isinstance(members, list) or not members:
        yield f"{place}.{group}", "List at least one condition."
        return
    for position, member in enumerate(members):
        if terms[0] > MAX_TERMS:
            return
        yield from _problems(member, f"{place}.{group}[{position}]", depth + 1, terms)


def _comparison(cond: dict[str, Any], place: str) -> Iterator[tuple[str, str]]:
    yield from _unknown_keys(cond, {"left", "op", "right"}, place)
    if "left" not in cond:
        yield f"{place}.left", "is required"
    op = cond.get("op")
    if not isinstance(op, str) or op not in OPERATORS:
        yield f"{place}.op", f"One of {', '.join(sorted(OPERATORS))}."
    elif op in _BINARY and "right" not in cond:
        yield f"{place}.right", "is required"


def _unknown_keys(cond: dict[str, Any], known: set[str], place: str) -> Iterator[tuple[str, str]]:
    for key in cond:
        if key not in known:
            yield f"{place}.{str(key)[:64]}", "is not part of this kind of condition"


def tested_operands(cond: object) -> Iterator[Any]:
    """The left operands of presence tests, for WF-5. Takes only well-shaped parts."""
    if not isinstance(cond, dict):
        return
    for group in _GROUPS:
        members = cond.get(group)
        if isinstance(members, list):
            for member in members:
                yield from tested_operands(member)
    if "not" in cond:
        yield from tested_operands(cond["not"])
    op = cond.get("op")
    if isinstance(op, str) and op in _UNARY:
        yield cond.get("left")
