"""Conditions: the published truth table, shape checks, and no crash on anything."""

from __future__ import annotations

import contextlib
import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tidegate.workflows import conditions
from tidegate.workflows.conditions import (
    OPERATORS,
    ConditionError,
    condition_problems,
    evaluate,
)
from tidegate.workflows.templating import MissingValueError, Renderer, Scope

TABLE = Path(str(conditions.__file__)).parent / "TRUTH_TABLE.md"


def rows() -> list[tuple[str, str, str, str]]:
    """The table's rows as text."""
    lines = TABLE.read_text(encoding="utf-8").splitlines()
    start = lines.index("|---|---|---|---|") + 1
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[start:]]
    return [(left.strip("`"), op, right.strip("`"), result) for left, op, right, result in cells]


def truth(left: str, op: str, right: str) -> str:
    """A row's result by the evaluator, through templates as a run does it."""
    data: dict[str, Any] = {}
    for name, text in (("left", left), ("right", right)):
        if text and text != "missing":
            data[name] = json.loads(text)
    cond: dict[str, Any] = {"left": "{{left}}", "op": op}
    if right:
        cond["right"] = "{{right}}"
    assert list(condition_problems(cond, "")) == []
    try:
        return str(evaluate(cond, Renderer(Scope(input=data)).render)).lower()
    except (ConditionError, MissingValueError):
        return "error"


@pytest.mark.hazard("E26")
@pytest.mark.bite(
    "tidegate.workflows.conditions.operators.equal",
    replacement=lambda left, right: left == right,
)
def test_truth_table() -> None:
    """E26: every row of the published table holds, and every operator is in it."""
    table = rows()
    wrong = [row for row in table if truth(*row[:3]) != row[3]]
    assert wrong == []
    assert {row[1] for row in table} == OPERATORS


def test_groups_stop_early() -> None:
    """A presence test guards the comparison after it."""
    render = Renderer(Scope(input={"n": 5})).render
    absent = {"left": "{{gone}}", "op": "gt", "right": 1}
    guard = {"left": "{{gone}}", "op": "exists"}
    assert evaluate({"all": [guard, absent]}, render) is False
    assert evaluate({"any": [{"left": "{{n}}", "op": "eq", "right": 5}, absent]}, render) is True
    assert evaluate({"not": {"all": [guard, absent]}}, render) is True
    with pytest.raises(MissingValueError):
        evaluate({"all": [absent, guard]}, render)


LEAF = {"left": 1, "op": "eq", "right": 1}


def nested(depth: int) -> dict[str, Any]:
    """A condition of that depth."""
    cond: dict[str, Any] = dict(LEAF)
    for _ in range(depth - 1):
        cond = {"not": cond}
    return cond


@pytest.mark.hazard("E8")
@pytest.mark.bite("tidegate.workflows.conditions.schema._problems", replacement=lambda *_: iter(()))
def test_shape_problems() -> None:
    """E8: unknown operators, wrong types, depth and size are named with their place."""
    bad: list[tuple[Any, str]] = [
        ({"left": 1, "op": "matches", "right": ".*"}, "c.op"),
        ({"left": 1, "op": "eq"}, "c.right"),
        ({"op": "eq", "right": 1}, "c.left"),
        ({"left": 1, "op": ["eq"], "right": 1}, "c.op"),
        ({"all": []}, "c.all"),
        ({"any": {"left": 1}}, "c.any"),
        ({"all": [LEAF], "any": [LEAF]}, "c.any"),
        ({"not": 5}, "c.not"),
        ({**LEAF, "script": "1"}, "c.script"),
        ("1 == 1", "c"),
        (None, "c"),
        (nested(6), "c.not.not.not.not.not"),
        ({"all": [LEAF] * 101}, "c"),
    ]
    for cond, place in bad:
        assert place in [where for where, _ in condition_problems(cond, "c")], cond
    assert list(condition_problems(nested(5), "c")) == []
    assert list(condition_problems({"all": [LEAF] * 99}, "c")) == []


TIMES = ["2026-01-01T00:00:00Z", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00"]
SCALAR = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from(TIMES)
)
JSON = st.recursive(
    SCALAR,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)
COND = st.recursive(
    st.fixed_dictionaries({"left": JSON, "op": st.sampled_from(sorted(OPERATORS)), "right": JSON})
    | JSON,
    lambda inner: (
        st.fixed_dictionaries({"all": st.lists(inner, max_size=3)})
        | st.fixed_dictionaries({"any": st.lists(inner, max_size=3)})
        | st.fixed_dictionaries({"not": inner})
    ),
    max_leaves=6,
)


@pytest.mark.hazard("E8")
@given(COND)
@settings(max_examples=300, deadline=None)
def test_any_document_is_judged(cond: Any) -> None:
    """E8: any JSON gives problems or, when it has none, a truth value or a named error."""
    if list(condition_problems(cond, "c")):
        return
    with contextlib.suppress(ConditionError):
        assert evaluate(cond, lambda operand: operand) in (True, False)


def test_fuzzed_pairs() -> None:
    """E26: 20,000 operand pairs, and the mirror laws hold."""
    rng = random.Random(7)
    values: list[Any] = [
        None, True, False, 0, 1, -1, 1.5, float("nan"), float("inf"), 10**400, "", "1", "a", [],
        [1], {}, {"a": 1}, "2026-01-01T00:00:00Z", "2026-01-01T00:00:00", "2026-01-01T24:61:00Z",
    ]  # fmt: skip
    pairs = {"eq": "ne", "in": "not_in", "contains": "not_contains"}

    def result(op: str, left: Any, right: Any) -> Any:
        try:
            return evaluate({"left": left, "op": op, "right": right}, lambda value: value)
        except ConditionError:
            return "error"

    for _ in range(20_000):
        left, right, op = rng.choice(values), rng.choice(values), rng.choice(sorted(OPERATORS))
        got = result(op, left, right)
        if op in pairs:
            opposite = result(pairs[op], left, right)
            assert (got == "error") == (opposite == "error")
            assert got == "error" or got != opposite
        if op == "gt":
            assert got == result("lt", right, left)
