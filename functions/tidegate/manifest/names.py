"""Names of schemas that generated clients can use as class names."""

from __future__ import annotations

from typing import Any

_PREFIX = "#/components/schemas/"
_ROOT = "tidegate"
# Parts of a module's path that say nothing to a reader of the document.
_SILENT = frozenset({_ROOT, "schemas"})


def with_plain_names(document: dict[str, Any]) -> dict[str, Any]:
    """The document with `tidegate__calendar__schemas__Deleted` called CalendarDeleted.

    The framework gives such names where two domains call a model alike. Titles follow, because
    client generators name classes by them.
    """
    schemas: dict[str, Any] = document["components"]["schemas"]
    names = {name: _plain(name) for name in schemas}
    if len(set(names.values())) != len(names):
        raise ValueError(f"schemas share a name: {sorted(names.values())}")
    renamed: dict[str, Any] = _renamed(document, names)
    renamed["components"]["schemas"] = {
        names[name]: {**_renamed(schema, names), "title": names[name]}
        for name, schema in schemas.items()
    }
    return renamed


def _plain(name: str) -> str:
    if "__" not in name:
        return name
    *path, model = name.split("__")
    words = [word for part in path if part not in _SILENT for word in part.split("_")]
    return "".join(word[:1].upper() + word[1:] for word in words) + model


def _renamed(node: Any, names: dict[str, str]) -> Any:
    if isinstance(node, dict):
        return {key: _value(key, value, names) for key, value in node.items()}
    if isinstance(node, list):
        return [_renamed(value, names) for value in node]
    return node


def _value(key: str, value: Any, names: dict[str, str]) -> Any:
    if key == "$ref" and isinstance(value, str):
        name = value.removeprefix(_PREFIX)
        return _PREFIX + names[name] if name in names else value
    return _renamed(value, names)
