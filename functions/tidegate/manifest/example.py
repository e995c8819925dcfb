"""A small valid value of a JSON schema, for the document's examples."""

from __future__ import annotations

import re
from typing import Any

_BY_FORMAT = {
    "date-time": "2026-01-02T03:04:05Z",
    "date": "2026-01-02",
    "uuid": "8c5f2f0e-7c1b-4a57-9a3e-2f4f0f9b6f10",
    "uri": "https://example.com/",
    "email": "ada@example.com",
    "decimal": "12.50",
}
# Texts tried, in order, where a schema has a pattern but no example of its own.
_TRIED = (
    _BY_FORMAT["uuid"], "111122223333", "12.50", "ada@example.com", "https://example.com/",
    "eu-west-1", "en", "example", "EXAMPLE", "1",
)  # fmt: skip
# Tried first for fields of these names, so that an example may be sent as it is.
_BY_NAME = {
    "account_id": "111122223333",
    "avatar_url": "https://example.com/ada.png",
    "email": "ada@example.com",
    "fields": "id",
    "role_arn": "arn:aws:iam::111122223333:role/TidegateAccess-8c5f2f0e",
    "time_zone": "Europe/Berlin",
}
_MAX_DEPTH = 12


def example_of(
    schema: dict[str, Any], schemas: dict[str, Any], depth: int = 0, name: str = ""
) -> Any:
    """A value that `schema` accepts, for a field of that name; `schemas` are the components."""
    if "$ref" in schema:
        return example_of(schemas[schema["$ref"].rpartition("/")[2]], schemas, depth, name)
    for key in ("example", "const"):
        if key in schema:
            return schema[key]
    if schema.get("examples"):
        return schema["examples"][0]
    if "enum" in schema:
        return schema["enum"][0]
    for key in ("anyOf", "oneOf", "allOf"):
        if key in schema:
            return _first(schema[key], schemas, depth, name)
    return _by_type(schema, schemas, depth, name)


def _first(options: list[dict[str, Any]], schemas: dict[str, Any], depth: int, name: str) -> Any:
    # The fuller form of a nullable value tells more; deep recursion ends in null.
    nullable = any(option.get("type") == "null" for option in options)
    if nullable and depth >= _MAX_DEPTH:
        return None
    return example_of(
        next(option for option in options if option.get("type") != "null"), schemas, depth, name
    )


def _by_type(schema: dict[str, Any], schemas: dict[str, Any], depth: int, name: str) -> Any:
    kind = schema.get("type")
    if kind == "object":
        return {
            key: example_of(part, schemas, depth + 1, key)
            for key, part in schema.get("properties", {}).items()
            if depth < _MAX_DEPTH or key in schema.get("required", [])
        }
    if kind == "array":
        if "prefixItems" in schema:  # a tuple
            return [example_of(part, schemas, depth + 1) for part in schema["prefixItems"]]
        if depth >= _MAX_DEPTH or "items" not in schema:
            return []
        return [example_of(schema["items"], schemas, depth + 1)] * max(1, schema.get("minItems", 1))
    if kind in ("integer", "number"):
        return _number(schema)
    if kind == "boolean":
        return True
    return _text(schema, name) if kind == "string" else {}


def _number(schema: dict[str, Any]) -> Any:
    if "default" in schema:
        return schema["default"]
    low = schema.get("minimum", schema.get("exclusiveMinimum", 0) + 1)
    return min(low if low > 0 else 1, schema.get("maximum", 1 if low <= 0 else low))


def _text(schema: dict[str, Any], name: str) -> str:
    if isinstance(schema.get("default"), str) and schema["default"]:
        return str(schema["default"])
    if schema.get("format") in _BY_FORMAT:
        return _BY_FORMAT[str(schema["format"])]
    low, high = int(schema.get("minLength", 0)), int(schema.get("maxLength", 10**6))
    pattern = str(schema.get("pattern", ""))
    named = (_BY_NAME[name],) if name in _BY_NAME else ()
    for text in (*named, *(_TRIED if pattern else ("example",))):
        if low <= len(text) <= high and re.search(pattern, text):
            return str(text)
    return ("example" * (low // 7 + 1))[: max(low, min(7, high))]
