"""Parameters and substitution (TPL-1, TPL-2)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tidegate.templates.domain import Parameter, ParameterType, fits, substitute, values_of


def declared(
    name: str, kind: ParameterType = "string", required: bool = False, default: Any = None
) -> Parameter:
    return Parameter(name, "", kind, required, default)


def test_tpl_1_text_whole_strings_and_other_mentions() -> None:
    node = {
        "label": "Start: {{customer_name}}",
        "count": "{{ count }}",
        "kept": "{{input.customer_name}} {{nodes.a.output}}",
        "deep": [{"to": "{{customer_name}}"}],
        "{{customer_name}}": 1,
    }
    assert substitute(node, {"customer_name": "John Doe", "count": 3}) == {
        "label": "Start: John Doe",
        "count": 3,
        "kept": "{{input.customer_name}} {{nodes.a.output}}",
        "deep": [{"to": "John Doe"}],
        "{{customer_name}}": 1,
    }


def test_an_absent_optional_is_null_alone_and_empty_in_text() -> None:
    assert substitute(["{{a}}", "x{{a}}y"], {"a": None}) == [None, "xy"]


def test_values_are_not_expanded_again() -> None:
    assert substitute("{{a}}", {"a": "{{b}}", "b": "secret"}) == "{{b}}"
    assert substitute("-{{a}}-", {"a": "{{b}}", "b": "secret"}) == "-{{b}}-"


def test_tpl_2_problems_are_all_named_and_undeclared_values_reported() -> None:
    parameters = [
        declared("a", required=True),
        declared("b", "number"),
        declared("c", "boolean", default=True),
        declared("d", "email"),
    ]
    values, problems, warnings = values_of(parameters, {"b": "7", "d": "nobody", "z": 1})
    assert [(p.field, p.message) for p in problems] == [
        ("parameter_values.a", "is required"),
        ("parameter_values.b", "must be a number"),
        ("parameter_values.d", "must be a email"),
    ]
    assert values["c"] is True
    assert [(w.code, w.path) for w in warnings] == [("UNDECLARED_PARAMETER", "parameter_values.z")]


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        ("x", "string", True), (1, "string", False), (1, "number", True), (1.5, "number", True),
        (True, "number", False), (True, "boolean", True), (1, "boolean", False),
        ("a@b.example", "email", True), ("a@b", "email", False), ("2026-02-28", "date", True),
        ("2026-02-30", "date", False), ([1], "json", True), ({"a": 1}, "json", True),
    ],
)  # fmt: skip
def test_types_are_not_converted(value: Any, kind: ParameterType, expected: bool) -> None:
    assert fits(value, kind) is expected


@given(st.text(), st.dictionaries(st.sampled_from(["a", "b"]), st.text()))
def test_any_text_is_substituted_without_error(text: str, values: dict[str, str]) -> None:
    if not any("{{" in value for value in values.values()):
        result = substitute(text, values)
        assert isinstance(result, str)
