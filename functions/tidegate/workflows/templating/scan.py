"""Static analysis: which templates JSON data holds, and where."""

from __future__ import annotations

import re
from collections.abc import Iterator
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


def find_templates(value: Any, place: str, *, in_loop: bool = False) -> Iterator[Found]:
    """Every template in the strings of JSON data (keys are never templates), in reading order."""
    if isinstance(value, str):
        if "{{" in value:
            for match in TEMPLATE.finditer(value):
                yield _found(match.group(1), place, in_loop)
    elif isinstance(value, dict):
        for key, item in value.items():
            if isinstance(item, str | dict | list):
                yield from find_templates(item, f"{place}.{key}", in_loop=in_loop)
    elif isinstance(value, list):
        for position, item in enumerate(value):
            if isinstance(item, str | dict | list):
                yield from find_templates(item, f"{place}[{position}]", in_loop=in_loop)


def _found(text: str, place: str, in_loop: bool) -> Found:
    try:
        path = rooted(parse_path(text), in_loop=in_loop)
    except BadTemplateError as error:
        return Found((), place, str(error))
    problem = None
    if path[0] == "nodes" and (len(path) < 3 or path[2] not in ("output", "error")):
        problem = "Write nodes.<id>.output or nodes.<id>.error."
    elif path[0] == "secrets" and len(path) != 2:
        problem = "Write secrets.<name>."
    return Found(path, place, problem)
