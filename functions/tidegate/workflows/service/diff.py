"""What differs between two versions of a definition."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def diff(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """{nodes: {added, removed, changed: [{id, paths}]}, edges: the same, other: [path]}."""
    return {
        "nodes": _members(old.get("nodes", []), new.get("nodes", [])),
        "edges": _members(old.get("edges", []), new.get("edges", [])),
        "other": sorted(
            path
            for path in _paths(_rest(old), _rest(new), "")
        ),
    }  # fmt: skip


def _rest(definition: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in definition.items() if key not in ("nodes", "edges")}


def _members(old: list[Any], new: list[Any]) -> dict[str, Any]:
    before = {str(item["id"]): item for item in old}
    after = {str(item["id"]): item for item in new}
    changed = []
    for name, item in after.items():
        if name in before:
            paths = sorted(_paths(before[name], item, ""))
            if paths:
                changed.append({"id": name, "paths": paths})
    return {
        "added": [name for name in after if name not in before],
        "removed": [name for name in before if name not in after],
        "changed": changed,
    }


def _paths(old: Any, new: Any, path: str) -> Iterator[str]:
    """Paths at which two JSON values differ; 1 and true differ, 1 and 1.0 do not."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in {**old, **new}:
            below = f"{path}.{key}" if path else str(key)
            if key not in old or key not in new:
                yield below
            else:
                yield from _paths(old[key], new[key], below)
        return
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for position, (left, right) in enumerate(zip(old, new, strict=True)):
            yield from _paths(left, right, f"{path}[{position}]")
        return
    if isinstance(old, bool) != isinstance(new, bool) or old != new:
        yield path
