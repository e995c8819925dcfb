"""Each numbered rule of contract 2.2 to 2.4 is cited by at least one test that proves it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
# The rules of each chapter are numbered from 1.
RULES = {"USR": 3, "CAL": 4, "INT": 7}
_CITED = re.compile(r"\b(USR|CAL|INT)-(\d+)(?:\s+to\s+(?:\1-)?(\d+))?")
_NAMED = re.compile(r"_(usr|cal|int)_(\d+)(?=_|$)")


def cited(text: str) -> Iterator[str]:
    """Rules named in prose; `INT-1 to INT-4` names four."""
    for prefix, first, last in _CITED.findall(text):
        for number in range(int(first), int(last or first) + 1):
            yield f"{prefix}-{number}"


def citations(tree: ast.Module) -> Iterator[str]:
    """Rules in the names and docstrings of a module's tests."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            yield from cited(ast.get_docstring(node) or "")
            yield from (f"{p.upper()}-{n}" for p, n in _NAMED.findall(node.name))


@pytest.fixture(scope="module")
def found() -> set[str]:
    """Every rule that some test cites."""
    return {
        rule
        for path in TESTS.rglob("test_*.py")
        if path != Path(__file__)
        for rule in citations(ast.parse(path.read_text(encoding="utf-8")))
    }


def test_every_rule_is_cited(found: set[str]) -> None:
    wanted = {f"{p}-{n}" for p, count in RULES.items() for n in range(1, count + 1)}
    assert sorted(wanted - found) == []


def test_citations_name_rules_that_exist(found: set[str]) -> None:
    wanted = {f"{p}-{n}" for p, count in RULES.items() for n in range(1, count + 1)}
    assert sorted(found - wanted) == []


def test_ranges_and_names_are_read() -> None:
    source = 'def test_int_7_x():\n    """CAL-1, USR-1 to USR-3 and INT-2 to 4."""\n'
    assert sorted(citations(ast.parse(source))) == [
        "CAL-1", "INT-2", "INT-3", "INT-4", "INT-7", "USR-1", "USR-2", "USR-3",
    ]  # fmt: skip
