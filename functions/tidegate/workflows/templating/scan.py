"""Static analysis: which templates JSON data holds, and where."""

from __future__ import annotations

import functools
import re
from typing import Any, Final, NamedTuple

from tidegate.workflows.templating.paths import BadTemplateError, Path, parse_path

# Braces inside braces are not a template, so the scan is linear in the text.
TEMPLATE: Final = re.compile(r"\{\{([^{}]*)\}\}")

_ROOTS: Final = frozenset({"input", "nodes", "trigger", "secrets"})
_LOOP_ROOTS: Final = frozenset({"item", "index"})


class Found(NamedTuple):
    """One template: its rooted path, the JSON path of the string, or what is wrong with it."""

    path: Path
    place: str
    problem: str | None = None


def is_template(text: str) -> bool:
    """True when the whole text is one template, so that it stands for a value of any type."""
    return TEMPLATE.fullmatch(text) is not None


def rooted(path: Path, *, in_loop: bool) -> Path:
    """The path with its root written out: any other first segment means input (WF-4)."""
    if path[0] in _ROOTS or (in_loop and path[0] in _LOOP_ROOTS):
        return path
    return ("input", *path)


def find_templates(value: Any, place: str, *, in_loop: bool = False) -> list[Found]:
    """Every template in the strings of JSON data (keys are never templates), in reading order."""
    found: list[Found] = []
    if isinstance(value, str):
        _scan_text(value, place, in_loop, found)
    elif isinstance(value, dict | list):
        _scan(value, place, in_loop, found)
    return found


def _scan(value: Any, place: str, in_loop: bool, found: list[Found]) -> None:
    members = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in members:
        kind = type(item)
        if kind is str:
            if "{{" in item:
                _scan_text(item, _below(place, key), in_loop, found)
        elif kind is dict or kind is list:
            _scan(item, _below(place, key), in_loop, found)


def _below(place: str, key: str | int) -> str:
    return f"{place}.{key}" if isinstance(key, str) else f"{place}[{key}]"


def _scan_text(text: str, place: str, in_loop: bool, found: list[Found]) -> None:
    for inner in TEMPLATE.findall(text):
        path, problem = _read(inner, in_loop)
        found.append(Found(path, place, problem))


@functools.lru_cache(maxsize=4096)
def _read(text: str, in_loop: bool) -> tuple[Path, str | None]:
    """(rooted path, what is wrong with it)."""
    try:
        path = rooted(parse_path(text), in_loop=in_loop)
    except BadTemplateError as error:
        return (), str(error)
    if path[0] == "nodes" and (len(path) < 3 or path[2] not in ("output", "error")):
        return path, "Write nodes.<id>.output or nodes.<id>.error."
    if path[0] == "secrets" and len(path) != 2:
        return path, "Write secrets.<name>."
    return path, None
