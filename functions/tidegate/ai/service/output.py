"""Answers that must fit an output schema (AI-3)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tidegate_kit.errors import Detail
from tidegate_kit.json_schema import apply_schema

from tidegate.ai.domain import Message, Question

_ORDER = (
    "Answer with one JSON value and nothing else: no prose, no code fence. "
    "It must fit this JSON Schema:\n"
)
_AGAIN = "That does not fit the schema. Problems: {}. Answer again with the JSON value alone."
_MAX_DEPTH = 32
_MAX_PROBLEMS = 20


@dataclass(frozen=True)
class Reading:
    """A text read as JSON under a schema; `problems` empty: it fits."""

    value: Any
    problems: tuple[Detail, ...]


def with_schema(question: Question, schema: Mapping[str, Any]) -> Question:
    """The question, with the order to answer by the schema."""
    order = _ORDER + json.dumps(schema, separators=(",", ":"))
    return replace(question, system=f"{question.system}\n\n{order}" if question.system else order)


def asked_again(question: Question, text: str, problems: Sequence[Detail]) -> Question:
    """The question, with the answer that did not fit and what is wrong with it."""
    wrong = "; ".join(f"{one.field} {one.message}" for one in problems)
    more = (Message("assistant", text or "(nothing)"), Message("user", _AGAIN.format(wrong)))
    return replace(question, messages=(*question.messages, *more))


def read(text: str, schema: Mapping[str, Any]) -> Reading:
    """What an answer says; no part of it is quoted in a problem."""
    try:
        value = json.loads(_bare(text), parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return Reading(None, (Detail("output", "is not JSON"),))
    if _too_deep(value):
        return Reading(None, (Detail("output", f"nests more than {_MAX_DEPTH} levels"),))
    filled, problems = apply_schema(schema, value)
    found = tuple(
        Detail(f"output.{one.path}" if one.path else "output", one.message)
        for one in problems[:_MAX_PROBLEMS]
    )
    return Reading(None if found else filled, found)


def _bare(text: str) -> str:
    """Without the code fence that models like to put around JSON."""
    text = text.strip()
    if text.startswith("```") and text.endswith("```") and "\n" in text:
        return text[text.index("\n") : -3].strip()
    return text


def _no_constant(name: str) -> Any:
    raise ValueError(name)  # NaN and Infinity are not JSON


def _too_deep(value: Any) -> bool:
    layer = [value]
    for _ in range(_MAX_DEPTH):
        layer = [
            member
            for one in layer
            for member in (
                one.values() if isinstance(one, dict) else one if isinstance(one, list) else ()
            )
        ]
        if not layer:
            return False
    return True
