"""Reads ``catalogue.md`` and hazard ids in docstrings."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

CATALOGUE = Path(__file__).with_name("catalogue.md")
_LINE = re.compile(r"^- \*\*([A-H]\d+)\*\*\s*(.*)$", re.MULTILINE)
_RANGE = re.compile(r"\b([A-H])(\d+)(?:\s*(?:-|\u2013|\.\.)\s*\1(\d+))?\b")


def load_catalogue(path: Path = CATALOGUE) -> dict[str, str]:
    """Hazard id -> title, in the file's order.  Raises ValueError on a repeated id."""
    found: dict[str, str] = {}
    for identifier, title in _LINE.findall(path.read_text(encoding="utf-8")):
        if identifier in found:
            raise ValueError(f"{path.name}: {identifier} is listed twice")
        found[identifier] = title
    return found


def ids_in(text: str) -> set[str]:
    """Every id a text names; ``A1-A3`` names three."""
    return {
        f"{letter}{number}"
        for letter, first, last in _RANGE.findall(text)
        for number in range(int(first), int(last or first) + 1)
    }


def compress(ids: Iterable[str]) -> str:
    """``A1-A3 A7 B2``: ids in order, runs joined."""
    ordered = sorted({(name[0], int(name[1:])) for name in ids})
    runs: list[list[tuple[str, int]]] = []
    for entry in ordered:
        if runs and runs[-1][-1] == (entry[0], entry[1] - 1):
            runs[-1].append(entry)
        else:
            runs.append([entry])
    names = []
    for run in runs:
        (letter, first), (_, last) = run[0], run[-1]
        names.append(f"{letter}{first}" if first == last else f"{letter}{first}-{letter}{last}")
    return " ".join(names)
