"""Paths: dot-separated keys and list positions, looked up in dict and list alone."""

from __future__ import annotations

import re
from typing import Any, Final, final

Path = tuple[str, ...]

MAX_SEGMENTS: Final = 32
MAX_SEGMENT: Final = 128
# Letters of any script, digits, _ and -. No dots, brackets, quotes or operators inside a key.
_SEGMENT = re.compile(r"[\w-]+")
_INDEX = re.compile(r"0|[1-9][0-9]{0,9}")


@final
class _Missing:
    """The absence of a value, which is not null."""

    def __repr__(self) -> str:
        return "MISSING"

    def __bool__(self) -> bool:
        return False


MISSING: Final = _Missing()


class BadTemplateError(ValueError):
    """The text between the braces is not a path."""


def parse_path(text: str) -> Path:
    """`a.b.0` as segments. Raises BadTemplateError, whose message quotes at most 80 characters."""
    text = text.strip()
    if not text:
        raise BadTemplateError("A template between {{ and }} is empty.")
    if text.count(".") >= MAX_SEGMENTS:
        raise BadTemplateError(f"A path has more than {MAX_SEGMENTS} segments.")
    segments = tuple(text.split("."))
    for segment in segments:
        if len(segment) > MAX_SEGMENT:
            raise BadTemplateError(f"A path segment is longer than {MAX_SEGMENT} characters.")
        if not _SEGMENT.fullmatch(segment):
            raise BadTemplateError(
                f"'{text[:80]}' is not a path such as input.customer.name or nodes.a.output.0."
            )
    return segments


def lookup(value: Any, path: Path) -> Any:
    """The value at `path`, or MISSING. Walks exact dict and list only: no attributes, no calls."""
    for segment in path:
        if type(value) is dict:
            if segment not in value:
                return MISSING
            value = value[segment]
        elif type(value) is list:
            if not _INDEX.fullmatch(segment) or int(segment) >= len(value):
                return MISSING
            value = value[int(segment)]
        else:
            return MISSING
    return value
