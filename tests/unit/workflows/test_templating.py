"""Templates: look-ups only, type kept, nothing expanded twice, nothing evaluated."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tidegate.workflows.templating import (
    MISSING,
    MissingValueError,
    Renderer,
    Scope,
    TemplateError,
    find_templates,
    lookup,
    redact,
)
from tidegate.workflows.templating.errors import ExpansionError

SCOPE = Scope(
    input={"name": "Ann", "n": 7, "deep": {"list": [{"a": None}]}, "item": "input's own"},
    nodes={"a": {"output": {"ok": True}}, "b": {"error": {"code": "E"}}},
    trigger={"type": "api"},
)


def render(value: Any, scope: Scope = SCOPE) -> Any:
    """The value, filled."""
    return Renderer(scope).render(value)


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("{{name}}", "Ann"),
        ("{{ input.n }}", 7),
        ("{{deep.list.0}}", {"a": None}),
        ("{{deep.list.0.a}}", None),
        ("{{nodes.a.output.ok}}", True),
        ("{{nodes.b.error.code}}", "E"),
        ("{{trigger.type}}", "api"),
        ("Hi {{name}}, {{n}} {{nodes.a.output}}", 'Hi Ann, 7 {"ok":true}'),
        ("{{deep.list.0.a}}!", "null!"),
        ("{{item}}", "input's own"),
        ({"k": ["{{n}}", 1]}, {"k": [7, 1]}),
        ("plain", "plain"),
    ],
)
def test_look_up(template: Any, value: Any) -> None:
    """Whole-string templates keep the type; in text, JSON."""
    assert render(template) == value


def test_loop_roots() -> None:
    """item and index are roots in a loop alone."""
    scope = Scope(input={"item": 1}, loop={"item": {"x": 2}, "index": 3})
    assert render("{{item.x}} {{index}} {{input.item}}", scope) == "2 3 1"


HOSTILE = [
    "{{7*7}}", "{{a()}}", "{{ a | upper }}", "{{a['b']}}", '{{a["b"]}}', "{{a[0]}}", "{{#if a}}",
    "{{a.b.}}", "{{.}}", "{{a..b}}", "{{}}", "{{ }}", "{{a b}}", "{{a;b}}", "{{a+b}}", "{{$a}}",
    "{{constructor.constructor('return 1')()}}",
]  # fmt: skip
LITERAL = [
    "{% 7*7 %}",
    "${7*7}",
    "#{7*7}",
    "{0.__init__}",
    "{name}",
    "%(name)s",
    "<%= 7*7 %>",
    "{{{",
]


@pytest.mark.hazard("E4")
@pytest.mark.bite(
    "tidegate.workflows.templating.scan._read",
    replacement=lambda text, in_loop: (("input", text), None),
)
def test_nothing_is_evaluated() -> None:
    """E4: expressions are refused at save and literal at run; other syntaxes are plain text."""
    for text in HOSTILE:
        assert render(text) == text
        assert [found.problem for found in find_templates(text, "x")] != [None], text
    for text in LITERAL:
        assert render(text) == text
        assert find_templates(text, "x") == []


@pytest.mark.hazard("E4")
@pytest.mark.bite(
    "tidegate.workflows.templating.render.lookup", replacement=lambda value, path: value
)
def test_attributes_are_out_of_reach() -> None:
    """E4: the look-up walks plain dict and list data only."""

    class Trap(dict[str, Any]):
        secret = 1

    for path in ("__class__", "deep.__class__.__mro__", "name.upper", "deep.list.append", "n.real"):
        with pytest.raises(MissingValueError):
            render("{{" + path + "}}")
    assert lookup(Trap(a=1), ("a",)) is MISSING
    assert lookup((1, 2), ("0",)) is MISSING


@pytest.mark.hazard("E5")
@pytest.mark.bite(
    "tidegate.workflows.templating.render.Renderer.find",
    replacement=lambda self, path: "EXPANDED",
)
def test_no_second_expansion() -> None:
    """E5: template text inside data stays as it is."""
    scope = Scope(input={"a": "{{b}}", "b": "leak", "list": ["{{b}}"]})
    assert render("{{a}}", scope) == "{{b}}"
    assert render("x {{a}} {{a}}", scope) == "x {{b}} {{b}}"
    assert render("{{{{a}}}}", scope) == "{{{{b}}}}"
    assert render({"x": "{{list}}"}, scope) == {"x": ["{{b}}"]}


@pytest.mark.hazard("E6")
@pytest.mark.bite("tidegate.workflows.templating.render.Renderer._spend", returns=None)
def test_expansion_bomb() -> None:
    """E6: a thousand megabytes are not made, in text or in structure; five pass."""
    scope = Scope(input={"a": "x" * 1_000_000, "list": [["y" * 1000] * 1000]})
    for bomb in ("{{a}} " * 1000, ["{{a}}"] * 1000, ["{{list}}"] * 1000, {"k": "{{a}}{{a}}" * 9}):
        with pytest.raises(ExpansionError):
            render(bomb, scope)
    assert len(render("{{a}}" * 5, scope)) == 5_000_000


@pytest.mark.hazard("E7")
@pytest.mark.bite("tidegate.workflows.templating.render.Renderer.find", returns="value")
def test_secrets_need_a_source() -> None:
    """E7: an undeclared secret is refused at run; a used one is remembered and can be hidden."""
    with pytest.raises(TemplateError, match="no secret 'token'"):
        render("{{secrets.token}}")
    renderer = Renderer(Scope(secret=lambda name: f"value-of-{name}"))
    assert renderer.render("Bearer {{secrets.token}}") == "Bearer value-of-token"
    hidden = redact({"value-of-token": ["a value-of-token b", 5]}, renderer.secrets)
    assert hidden == {"***": ["a *** b", 5]}


@pytest.mark.hazard("E27")
@pytest.mark.bite("tidegate.workflows.templating.render.lookup", returns="")
def test_odd_paths() -> None:
    """E27: a path that leads nowhere is a named error, never an empty string."""
    scope = Scope(input={"list": [1], "a.b": 1, "é": 1, "n": None})
    for path in (
        "gone", "list.-1", "list.1", "list.1000000000", "list.1e9", "list.00", "list.x", "a.b",
        "n.x", "nodes.zzz.output", "trigger.gone", "list.0.0",
    ):  # fmt: skip
        with pytest.raises(MissingValueError) as missing:
            render("before {{" + path + "}} after", scope)
        assert path.split(".")[-1] in missing.value.path
    assert render("{{é}}", scope) == 1
    assert find_templates("{{e\u0301}}", "x")[0].problem is not None
    long = "{{" + ".".join(["a"] * 100_000) + "}}"
    started = time.perf_counter()
    assert find_templates(long, "x")[0].problem is not None
    assert render(long, scope) == long
    assert time.perf_counter() - started < 1


def test_scan_is_linear() -> None:
    """Unclosed and nested braces cost linear time."""
    times = []
    for size in (100_000, 200_000):
        started = time.process_time()
        for text in ("{{" * size, "{{a" * size, "{{a}" * size):
            find_templates(text, "x")
        times.append(time.process_time() - started)
    assert times[1] < times[0] * 6 + 0.1


@given(st.text(alphabet="{}ab.0 _-()'\"[]|%$é", max_size=40))
@settings(max_examples=500, deadline=None)
def test_any_text_renders(text: str) -> None:
    """Any text gives a value or a named error; without good templates it is unchanged."""
    problems = [found.problem for found in find_templates(text, "x")]
    try:
        rendered = render(text)
    except MissingValueError:
        return
    if all(problem is not None for problem in problems):
        assert rendered == text
