"""The part of JSON Schema that inputs and model answers are checked by.

Supported: type, properties, required, default, enum, minimum, maximum, minLength, maxLength, items,
minItems, maxItems, additionalProperties (boolean); annotations are kept. There is no `pattern` and
no `$ref`: an expression supplied by users could cost unbounded time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from tidegate_kit.json_values import equal, kind_of

_ANNOTATIONS: Final = frozenset(
    {"title", "description", "examples", "format", "$schema", "$id", "$comment", "deprecated"}
)
_TYPES: Final = {
    "object": "object",
    "array": "list",
    "string": "string",
    "number": "number",
    "integer": "number",
    "boolean": "boolean",
    "null": "null",
}
_COUNTS: Final = frozenset({"minLength", "maxLength", "minItems", "maxItems"})
_BOUNDS: Final = frozenset({"minimum", "maximum"})
_WORDS: Final = (
    _ANNOTATIONS
    | _COUNTS
    | _BOUNDS
    | {"type", "properties", "required", "default", "enum", "items", "additionalProperties"}
)
_MAX_DEPTH: Final = 16


@dataclass(frozen=True, slots=True)
class InputProblem:
    """One problem of an input: where, and whether a value is absent or wrong."""

    path: str
    kind: Literal["missing", "invalid"]
    message: str


def schema_problems(
    schema: object, place: str, *, top: bool = False, depth: int = 0
) -> Iterator[tuple[str, str]]:
    """(path, sentence) of everything in a schema that this checker does not offer."""
    if not isinstance(schema, Mapping):
        yield place, "A schema is an object."
        return
    if depth > _MAX_DEPTH:
        yield place, f"A schema nests at most {_MAX_DEPTH} levels."
        return
    for word in schema:
        if word not in _WORDS:
            yield f"{place}.{str(word)[:64]}", "is not a supported word of JSON Schema"
    if top and schema.get("type", "object") != "object":
        yield f"{place}.type", "The input is an object."
    yield from _word_problems(schema, place)
    properties = schema.get("properties", {})
    if not isinstance(properties, Mapping):
        yield f"{place}.properties", "is an object of schemas"
    else:
        for name, member in properties.items():
            yield from schema_problems(member, f"{place}.properties.{name}", depth=depth + 1)
    if "items" in schema:
        yield from schema_problems(schema["items"], f"{place}.items", depth=depth + 1)


def _word_problems(schema: Mapping[str, Any], place: str) -> Iterator[tuple[str, str]]:
    kind = schema.get("type")
    kinds = kind if isinstance(kind, list) else [] if kind is None else [kind]
    if any(not isinstance(one, str) or one not in _TYPES for one in kinds):
        yield f"{place}.type", f"One of {', '.join(_TYPES)}."
    required = schema.get("required", [])
    if not isinstance(required, list) or any(not isinstance(name, str) for name in required):
        yield f"{place}.required", "is a list of names"
    if "enum" in schema and not (isinstance(schema["enum"], list) and schema["enum"]):
        yield f"{place}.enum", "is a list of values"
    if not isinstance(schema.get("additionalProperties", True), bool):
        yield f"{place}.additionalProperties", "is true or false"
    for word in _COUNTS & schema.keys():
        if kind_of(schema[word]) != "number" or int(schema[word]) != schema[word]:
            yield f"{place}.{word}", "is a whole number"
    for word in _BOUNDS & schema.keys():
        if kind_of(schema[word]) != "number":
            yield f"{place}.{word}", "is a number"


def apply_schema(schema: Mapping[str, Any], value: Any) -> tuple[Any, list[InputProblem]]:
    """(value with defaults filled in, problems). The value given is not changed."""
    problems: list[InputProblem] = []
    return _apply(schema, value, "", problems), problems


def _apply(schema: Mapping[str, Any], value: Any, path: str, problems: list[InputProblem]) -> Any:
    if not _type_fits(schema.get("type"), value):
        problems.append(InputProblem(path, "invalid", f"must be of type {schema['type']}"))
        return value
    if "enum" in schema and not any(equal(value, one) for one in schema["enum"]):
        problems.append(InputProblem(path, "invalid", "is not one of the allowed values"))
    for word, message in _range_problems(schema, value):
        problems.append(InputProblem(path, "invalid", f"{message} {schema[word]}"))
    if isinstance(value, dict):
        return _apply_object(schema, value, path, problems)
    if isinstance(value, list) and "items" in schema:
        return [
            _apply(schema["items"], item, _join(path, str(place)), problems)
            for place, item in enumerate(value)
        ]
    return value


def _apply_object(
    schema: Mapping[str, Any], value: dict[str, Any], path: str, problems: list[InputProblem]
) -> dict[str, Any]:
    properties: Mapping[str, Any] = schema.get("properties", {})
    filled = dict(value)
    for name, member in properties.items():
        if name in filled:
            filled[name] = _apply(member, filled[name], _join(path, name), problems)
        elif "default" in member:
            filled[name] = member["default"]
    for name in schema.get("required", []):
        if name not in filled:
            problems.append(InputProblem(_join(path, name), "missing", "is required"))
    if schema.get("additionalProperties") is False:
        for name in filled.keys() - properties.keys():
            problems.append(InputProblem(_join(path, name), "invalid", "is not expected"))
    return filled


def _type_fits(expected: Any, value: Any) -> bool:
    if expected is None:
        return True
    kinds = expected if isinstance(expected, list) else [expected]
    return any(
        _TYPES[kind] == kind_of(value) and (kind != "integer" or value == int(value))
        for kind in kinds
    )


def _range_problems(schema: Mapping[str, Any], value: Any) -> Iterator[tuple[str, str]]:
    if kind_of(value) == "number":
        if "minimum" in schema and value < schema["minimum"]:
            yield "minimum", "must be at least"
        if "maximum" in schema and value > schema["maximum"]:
            yield "maximum", "must be at most"
    if isinstance(value, str | list):
        low, high = ("minLength", "maxLength") if isinstance(value, str) else _ITEMS
        if low in schema and len(value) < schema[low]:
            yield low, "must have a length of at least"
        if high in schema and len(value) > schema[high]:
            yield high, "must have a length of at most"


_ITEMS: Final = ("minItems", "maxItems")


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
