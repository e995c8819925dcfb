"""Templates, parameters and their substitution; pure (TPL-1, TPL-2)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

from tidegate_kit.errors import Detail

ParameterType = Literal["string", "number", "email", "boolean", "date", "json"]
_MENTION = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}\}")
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,189}\.[^@\s.]{1,63}")


@dataclass(frozen=True)
class Parameter:
    """A declared parameter."""

    name: str
    description: str
    parameter_type: ParameterType
    is_required: bool
    default_value: Any


@dataclass(frozen=True)
class Template:
    """A template as stored, without its definition. `scope` says whose it is."""

    id: str
    name: str
    description: str
    category: str
    is_active: bool
    parameters: tuple[Parameter, ...]
    usage_count: int
    scope: Literal["tenant", "platform"]
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True)
class ValueWarning:
    """A value that was accepted and not applied."""

    code: str
    message: str
    path: str


def values_of(
    parameters: Sequence[Parameter], given: Mapping[str, Any]
) -> tuple[dict[str, Any], list[Detail], list[ValueWarning]]:
    """Values by declared name; what is missing or of another type; undeclared names as warnings.

    An absent optional parameter has its default, else None.
    """
    values: dict[str, Any] = {}
    problems: list[Detail] = []
    for parameter in parameters:
        place = f"parameter_values.{parameter.name}"
        value = given.get(parameter.name)
        if value is None:
            value = parameter.default_value
        if value is None and parameter.is_required:
            problems.append(Detail(place, "is required"))
        elif value is not None and not fits(value, parameter.parameter_type):
            problems.append(Detail(place, f"must be a {parameter.parameter_type}"))
        values[parameter.name] = value
    declared = {parameter.name for parameter in parameters}
    warnings = [
        ValueWarning(
            "UNDECLARED_PARAMETER",
            "The template declares no such parameter; the value was not applied.",
            f"parameter_values.{name}",
        )
        for name in given
        if name not in declared
    ]
    return values, problems, warnings


def fits(value: Any, kind: ParameterType) -> bool:
    """Whether a value is of a parameter type; no conversions (D5)."""
    if kind == "number":
        return isinstance(value, int | float) and not isinstance(value, bool)
    if kind == "boolean":
        return isinstance(value, bool)
    if kind == "json":
        return True
    if not isinstance(value, str):
        return False
    if kind == "email":
        return len(value) <= 254 and _EMAIL.fullmatch(value) is not None
    if kind == "date":
        return _is_date(value)
    return True


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def substitute(node: Any, values: Mapping[str, Any]) -> Any:
    """Replace {{name}} of declared names anywhere in strings, in keys never.

    A whole-string mention keeps the value's type; inside text None becomes empty and other values
    their JSON text. Other {{...}} stay. Values are not expanded again.
    """
    if isinstance(node, str):
        return _text(node, values)
    if isinstance(node, list):
        return [substitute(item, values) for item in node]
    if isinstance(node, dict):
        return {key: substitute(item, values) for key, item in node.items()}
    return node


def _text(text: str, values: Mapping[str, Any]) -> Any:
    whole = _MENTION.fullmatch(text)
    if whole is not None and whole[1] in values:
        return values[whole[1]]

    def replaced(mention: re.Match[str]) -> str:
        if mention[1] not in values:
            return mention[0]
        value = values[mention[1]]
        if value is None:
            return ""
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

    return _MENTION.sub(replaced, text)
