"""Workflow definitions: hostile graphs and imports, limits, retries and error edges (section E)."""

from __future__ import annotations

import cProfile
import json
import math
import random
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tidegate.workflows.compiler import compile_definition
from tidegate.workflows.graph import Issue
from tidegate.workflows.graph.issues import MAX_ISSUES
from tidegate.workflows.interpreter import Attempt, Visit
from tidegate.workflows.nodes import NODE_TYPES, Done, StepError
from tidegate.workflows.validation import ValidationContext, validate_definition

from tests.unit.workflows.graphs import random_definition
from tests.unit.workflows.harness import run_both, valid
from tests.unit.workflows.shapes import UNBOUNDED, UNLIMITED, chain, diamonds, ladder
from tests.unit.workflows.test_machines import LOOP, LOOPED, T, flow_of

Json = dict[str, Any]


def problems(raw: object, **known: Any) -> list[Issue]:
    """All errors of a definition."""
    return list(validate_definition(raw, ValidationContext(**known)).errors)


def codes(raw: object, **known: Any) -> set[str]:
    """The codes of all errors."""
    return {issue.code for issue in problems(raw, **known)}


def transforms(*names: str) -> list[tuple[str, str, Json]]:
    """A start node `s` and transforms."""
    return [("s", "start", {}), *((name, "transform", T) for name in names)]


@pytest.mark.hazard("E1")
@pytest.mark.bite("tidegate.workflows.validation.structure.cycles", returns=[])
def test_cycles() -> None:
    """E1: cycles are refused with the names of their nodes; a self-loop is its own code."""
    loop = problems(flow_of(*transforms("a"), edges=["s>a", "a>a"]))
    assert [(issue.code, issue.node_id, issue.edge_id) for issue in loop] == [
        ("SELF_LOOP", "a", "e1")
    ]
    two = problems(flow_of(*transforms("a", "b"), edges=["s>a", "a>b", "b>a"]))
    assert [issue.code for issue in two] == ["CYCLE"]
    assert two[0].message.endswith("a, b.")
    names = ["a", "b", "c", "x", "y"]
    edges = ["s>a", "a>b", "b>c", "c>a", "s>x", "x>y", "y>x", "c>y"]
    several = problems(flow_of(*transforms(*names), edges=edges))
    messages = [issue.message for issue in several if issue.code == "CYCLE"]
    assert [text.partition(": ")[2] for text in messages] == ["a, b, c.", "x, y."]


def broken() -> Json:
    """One definition with every structural problem."""
    cond = {"condition": {"left": 1, "op": "eq", "right": 1}}
    raw = flow_of(
        ("s", "start", {}),
        ("s2", "start", {}),
        ("c", "condition", cond),
        ("t", "transform", {"output": {"a": "{{7*7}}", "b": "{{nodes.lost.output.x}}"}}),
        ("d", "delay", {"seconds": 0}),
        ("alien", "teleport", {}),
        ("lost", "transform", T),
        ("sub", "subworkflow", {"workflow_id": "self", "input": {}}),
        edges=["s>c", "c:true>t", "t>d", "t>nowhere", "t>t", "t:upwards>d", "s>alien", "s>sub"],
    )
    raw["nodes"].append({"id": "t", "type": "transform", "data": T})
    raw["edges"].append({"id": "e0", "source": "s", "target": "d"})
    return raw


@pytest.mark.hazard("E2")
@pytest.mark.bite("tidegate.workflows.validation.structure._check_branches", returns=None)
def test_all_problems_at_once() -> None:
    """E2: every kind of problem is reported in one answer, with its place."""
    found = problems(broken(), workflow_id="self", callees=lambda one: [])
    assert {issue.code for issue in found} == {
        "DUPLICATE_NODE_ID", "DUPLICATE_EDGE_ID", "UNKNOWN_NODE_TYPE", "INVALID_DATA",
        "MULTIPLE_START", "DANGLING_EDGE", "SELF_LOOP", "UNREACHABLE_NODE", "UNKNOWN_HANDLE",
        "MISSING_BRANCH", "BAD_TEMPLATE", "UNKNOWN_REFERENCE", "SUBWORKFLOW_CYCLE",
    }  # fmt: skip
    places = {issue.code: (issue.path, issue.node_id, issue.edge_id) for issue in found}
    assert places["DANGLING_EDGE"] == ("edges[3].target", None, "e3")
    assert places["UNKNOWN_HANDLE"] == ("edges[5].sourceHandle", "t", "e5")
    assert places["MISSING_BRANCH"][1] == "c"
    assert places["INVALID_DATA"][0] == "nodes[4].data.seconds"
    assert places["BAD_TEMPLATE"][0] == "nodes[3].data.output.a"
    assert places["SUBWORKFLOW_CYCLE"][0] == "nodes[7].data.workflow_id"
    assert codes({"nodes": [], "edges": []}) == {"MISSING_START"}
    assert codes(random_definition(5, 30)) == set()


def function_calls(action: Callable[[], None]) -> int:
    """Calls of Python and C functions: a measure of work that no busy machine disturbs."""
    profile = cProfile.Profile()
    profile.runcall(action)
    return sum(entry.callcount for entry in profile.getstats())


def elapsed(action: Any) -> float:
    """Best CPU seconds of three."""
    times = []
    for _ in range(3):
        started = time.process_time()
        action()
        times.append(time.process_time() - started)
    return min(times)


@pytest.mark.hazard("E3")
@pytest.mark.bite(
    "tidegate.workflows.compiler.compile.transitive_reduction",
    replacement=lambda order, successors: [[] for _ in successors],
)
def test_sizes() -> None:
    """E3: 200 nodes, 2^40 paths and a 500-edge mesh pass; more is refused; time stays linear."""
    for raw in (chain(199), diamonds(40), ladder(8, 10)):
        both = run_both(raw, lambda visit: Attempt(Done(), 1.0))
        assert both.ended[0] == "SUCCEEDED"
        assert both.walker.now == both.run.seconds
    assert codes(chain(200)) == {"LIMIT_EXCEEDED"}
    assert codes(ladder(9, 10)) == {"LIMIT_EXCEEDED"}
    wide = chain(3)
    wide["edges"] += [{"id": f"x{n}", "source": "start", "target": "n1"} for n in range(100_000)]
    assert "LIMIT_EXCEEDED" in codes(wide)
    big = chain(3)
    big["note"] = "x" * 256 * 1024
    assert codes(big) == {"LIMIT_EXCEEDED"}


@pytest.mark.hazard("E3")
@pytest.mark.parametrize("shape", ["chain", "diamonds", "ladder"])
def test_time_is_linear(shape: str) -> None:
    """E3: four times the graph takes about four times the calls; the time ratio is printed."""
    make = {"chain": chain, "diamonds": diamonds, "ladder": lambda n: ladder(n // 5, 5)}[shape]
    calls = []
    for size in (200, 800):
        raw = make(size)
        text = json.dumps(raw)
        parse = elapsed(lambda text=text: json.loads(text))
        report = validate_definition(raw, limits=UNLIMITED, octets=len(text))
        assert report.definition is not None

        def work(raw: Json = raw, text: str = text, report: Any = report) -> None:
            validate_definition(raw, limits=UNLIMITED, octets=len(text))
            compile_definition(report.definition, UNBOUNDED)

        calls.append(function_calls(work))
        ratio, count = elapsed(work) / parse, len(raw["nodes"])
        print(f"\n{shape} of {count} nodes: validate + compile = {ratio:.1f} x json.loads")
    assert calls[1] < calls[0] * 5


@pytest.mark.hazard("E7")
@pytest.mark.bite("tidegate.workflows.validation.validate.check_references", returns=None)
def test_undeclared_secrets() -> None:
    """E7: an undeclared secret is refused at save, and any secret where data is stored."""
    raw = flow_of(*transforms("t"), edges=["s>t"])
    raw["nodes"][1]["data"] = {"output": {"k": "{{secrets.token}}"}}
    assert codes(raw, secrets={"token"}) == set()
    assert codes(raw, secrets={"other"}) == {"UNKNOWN_REFERENCE"}
    raw["nodes"][1] = {"id": "t", "type": "approval", "data": {"title": "{{secrets.token}}"}}
    assert codes(raw, secrets={"token"}) == {"BAD_TEMPLATE"}
    for text in ("{{secrets}}", "{{secrets.a.b}}", "{{nodes}}", "{{nodes.s}}", "{{nodes.s.data}}"):
        raw["nodes"][1] = {"id": "t", "type": "transform", "data": {"output": {"k": text}}}
        assert codes(raw, secrets={"a"}) == {"BAD_TEMPLATE"}, text


@pytest.mark.hazard("E11")
@pytest.mark.bite("tidegate.workflows.validation.data._check_data", returns=None)
def test_loops_are_capped() -> None:
    """E11: loop widths, item counts and nesting have limits."""
    for field, value in (
        ("max_concurrency", 0), ("max_concurrency", 41), ("max_concurrency", -1),
        ("max_concurrency", 10**30), ("max_concurrency", "{{n}}"), ("items", [1] * 10_001),
        ("items", "text"), ("items", 5), ("on_item_error", "ignore"), ("definition", None),
    ):  # fmt: skip
        raw = json.loads(json.dumps(LOOPED))
        raw["nodes"][1]["data"][field] = value
        assert codes(raw) == {"INVALID_DATA"}, (field, value)
    deep: Json = LOOPED
    for depth in (2, 3, 4):
        deep = flow_of(
            ("s", "start", {}), ("f", "foreach", {**LOOP, "definition": deep}), edges=["s>f"]
        )
        assert codes(deep) == (set() if depth <= 3 else {"LIMIT_EXCEEDED"})
    many = flow_of(
        ("s", "start", {}), ("f", "foreach", {**LOOP, "definition": chain(199)}), edges=["s>f"]
    )
    assert codes(many) == {"LIMIT_EXCEEDED"}


@pytest.mark.hazard("E12")
@pytest.mark.bite("tidegate.workflows.validation.data._check_data", returns=None)
@pytest.mark.parametrize(
    "data",
    [
        {"retry": {"max_attempts": 0}}, {"retry": {"max_attempts": 11}},
        {"retry": {"max_attempts": True}}, {"retry": {"max_attempts": 1.5}},
        {"retry": {"interval_seconds": -1}}, {"retry": {"interval_seconds": 0.5}},
        {"retry": {"interval_seconds": math.nan}}, {"retry": {"interval_seconds": math.inf}},
        {"retry": {"backoff_rate": 0}}, {"retry": {"backoff_rate": 11}},
        {"retry": {"backoff_rate": math.nan}}, {"retry": {"jitter": "some"}},
        {"retry": {"forever": True}}, {"retry": []}, {"retry": "{{retry}}"},
        {"timeout_seconds": 0}, {"timeout_seconds": -5}, {"timeout_seconds": 86_401},
        {"timeout_seconds": "60"}, {"timeout_seconds": "{{n}}"}, {"timeout_seconds": None},
    ],
)  # fmt: skip
def test_retry_and_timeouts_are_bounded(data: Json) -> None:
    """E12: unbounded tries, odd delays and time-outs are refused at save."""
    raw = flow_of(*transforms("t"), edges=["s>t"])
    raw["nodes"][1]["data"] = {**T, **data}
    assert codes(raw) == {"INVALID_DATA"}


@pytest.mark.hazard("E12")
def test_delays_are_bounded() -> None:
    """E12: a delay is one to 31,536,000 seconds, or an instant."""
    for data, bad in (
        ({"seconds": 1}, False), ({"seconds": 31_536_000}, False), ({"seconds": 31_536_001}, True),
        ({"seconds": 0}, True), ({"seconds": -1}, True), ({"seconds": 1.5}, True),
        ({"seconds": math.nan}, True), ({"seconds": "5"}, True), ({}, True),
        ({"seconds": 1, "until": "2026-01-01T00:00:00Z"}, True), ({"until": "soon"}, True),
        ({"until": "2026-01-01T00:00:00Z"}, False), ({"seconds": "{{n}}"}, False),
    ):  # fmt: skip
        raw = flow_of(("s", "start", {}), ("d", "delay", data), edges=["s>d"])
        assert codes(raw) == ({"INVALID_DATA"} if bad else set()), data


RETRIED: Json = {"method": "POST", "url": "https://example.com/", "retry": {"max_attempts": 3}}


def failing(times: int, *, retryable: bool, also: str = "") -> Any:
    """Node h fails its first tries; node `also` always fails."""

    def execute(visit: Visit) -> Attempt:
        if visit.node.id == also or (visit.node.id == "h" and visit.attempt <= times):
            return Attempt(StepError("HTTP_503", "no", retryable=retryable), 1.0)
        return Attempt(Done({"from": visit.node.id}), 1.0)

    return execute


@pytest.mark.hazard("E29")
@pytest.mark.bite(
    "tidegate.workflows.compiler.states.retriers",
    replacement=lambda policy, **_: [{"ErrorEquals": ["X"], "MaxAttempts": 1}],
)
def test_retries_then_the_error_edge() -> None:
    """E29: retries come first, then the edge, once; an error behind the edge ends the run."""
    raw = flow_of(
        ("s", "start", {}), ("h", "http", RETRIED), ("ok", "transform", T),
        ("err", "http", RETRIED),
        edges=["s>h", "h>ok", "h:error>err"],
    )  # fmt: skip
    recovered = run_both(raw, failing(2, retryable=True))
    assert recovered.run.step("h").attempts == 3
    assert recovered.run.step("err").status == "skipped"
    caught = run_both(raw, failing(9, retryable=True))
    assert caught.run.step("h").attempts == 3
    assert (caught.run.status, caught.run.step("ok").status) == ("completed", "skipped")
    assert caught.run.seconds == 1 + (1 + 1 + 1 + 2 + 1) + 1  # tries of 1 s, pauses of 1 and 2 s
    final = run_both(raw, failing(9, retryable=False))
    assert final.run.step("h").attempts == 1
    lost = run_both(raw, failing(9, retryable=False, also="err"))
    assert lost.run.status == "failed"
    assert lost.run.error is not None
    assert lost.run.error[0] == "err"
    for both in (recovered, caught, final, lost):
        assert both.compiled_steps() == both.reference_steps()
        assert (both.ended[0] == "SUCCEEDED") == (both.run.status == "completed")
        calls = [step for action, step in both.ledger.calls if action == "run"]
        assert calls.count("err") <= 1 or both is lost


def hostile() -> list[tuple[str, object]]:
    """Imports that are not what they say."""
    deep: Any = "bottom"
    for _ in range(5000):
        deep = [deep]
    nested: Json = {"nodes": [], "edges": []}
    for _ in range(200):
        nested = {
            "nodes": [{"id": "f", "type": "foreach", "data": {"definition": nested}}],
            "edges": [],
        }
    return [
        ("null", None), ("list", []), ("text", "nodes"), ("number", 5), ("empty", {}),
        ("nodes no list", {"nodes": {}, "edges": []}),
        ("nodes of anything", {"nodes": [None, 1, "x", [], {}, {"id": 5}], "edges": [None, {}, 7]}),
        ("odd ids", {"nodes": [{"id": one, "type": "start"} for one in ("", "a b", "é", "x" * 65)],
                     "edges": []}),
        ("odd types", {"nodes": [{"id": "a", "type": one} for one in (None, [], {}, "", "x" * 99)],
                       "edges": []}),
        ("odd data", {"nodes": [{"id": f"n{i}", "type": "start", "data": one}
                                for i, one in enumerate((None, [], "x", 5))], "edges": []}),
        ("odd position", {"nodes": [{"id": "a", "type": "start", "position": {"x": True, "y": 0}}],
                          "edges": []}),
        ("odd edges", {"nodes": [], "edges": [{"id": "e", "source": [], "target": {}},
                                              {"id": [], "source": "a", "target": "a"},
                                              {"id": "f", "source": "a", "target": "a",
                                               "sourceHandle": 5}]}),
        ("deep", {"nodes": [{"id": "a", "type": "transform", "data": {"output": deep}}],
                  "edges": []}),
        ("nested definitions", nested),
        ("dangling", {"nodes": [], "edges": [{"id": f"e{i}", "source": "a", "target": "b"}
                                             for i in range(20_000)]}),
    ]  # fmt: skip


@pytest.mark.hazard("D18")
@pytest.mark.bite("tidegate.workflows.graph.parse.too_deep", returns=False, cases=["deep"])
@pytest.mark.parametrize(("name", "raw"), hostile(), ids=[name for name, _ in hostile()])
def test_hostile_definitions(name: str, raw: object) -> None:
    """D18: whatever is imported is answered with placed errors, capped, quickly."""
    started = time.process_time()
    try:
        report = validate_definition(raw)
    except RecursionError:
        pytest.fail("the definition exhausted the stack")
    assert report.errors
    assert not report.valid
    assert len(report.errors) <= MAX_ISSUES + 1
    assert report.definition is None or name in ("odd ids", "dangling")
    assert time.process_time() - started < 5
    if name == "dangling":
        assert report.errors[-1].message.startswith("There are more than")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    | st.sampled_from(["s", "a", "start", "foreach", "condition", "{{a}}", "{{nodes.a.output}}"]),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(
        st.sampled_from(
            ["nodes", "edges", "id", "type", "data", "source", "target", "definition", "items",
             "condition", "all", "left", "op", "cases", "output", "sourceHandle", "retry"]
        ),
        inner,
        max_size=5,
    ),
    max_leaves=25,
)  # fmt: skip


@pytest.mark.hazard("D18")
@given(JSON)
@settings(max_examples=400, deadline=None)
def test_any_json_is_judged(raw: Any) -> None:
    """D18: any JSON gives a report, never an exception."""
    report = validate_definition(raw)
    assert report.valid in (True, False)


@pytest.mark.hazard("D18")
def test_mutated_definitions_are_judged() -> None:
    """D18: thousands of near-valid definitions give reports, and the valid ones compile."""
    rng = random.Random(11)
    for seed in range(300):
        raw = random_definition(seed % 40, 12)
        for _ in range(rng.randint(1, 4)):
            _mutate(rng, raw)
        report = validate_definition(raw)
        if report.valid and report.definition is not None:
            compile_definition(report.definition)


def _mutate(rng: random.Random, value: Any) -> None:
    """Change one random place."""
    junk: list[Any] = [None, True, -1, 10**30, "", "x" * 300, [], {}, "{{a}}", [[]], {"a": 1}]
    while isinstance(value, dict | list) and value:
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        key = rng.choice(keys)
        if rng.random() < 0.3 or not isinstance(value[key], dict | list) or not value[key]:
            if rng.random() < 0.3 and isinstance(value, dict):
                del value[key]
            else:
                value[key] = rng.choice(junk)
            return
        value = value[key]


@pytest.mark.hazard("E8")
@pytest.mark.bite("tidegate.workflows.nodes.condition.condition_problems", returns=[])
def test_conditions_at_save() -> None:
    """E8: a condition node is refused at save with the place of what is wrong."""
    for cond, place in (
        ({"left": 1, "op": "matches", "right": 1}, "op"),
        ({"all": [{"left": 1, "op": "eq"}]}, "all[0].right"),
        ({"not": {"not": {"not": {"not": {"not": {}}}}}}, "not.not.not.not.not"),
    ):
        raw = flow_of(
            ("s", "start", {}), ("c", "condition", {"condition": cond}), ("e", "end", {}),
            edges=["s>c", "c:true>e", "c:false>e"],
        )  # fmt: skip
        assert [issue.path for issue in problems(raw)] == [f"nodes[1].data.condition.{place}"]


def test_unknown_keys_stay() -> None:
    """Keys we do not know are kept in the graph's raw parts."""
    raw = flow_of(*transforms("t"), edges=["s>t"])
    raw["viewport"] = {"zoom": 2}
    raw["nodes"][1]["width"] = 5
    raw["nodes"][1]["data"]["icon"] = "x"
    raw["edges"][0]["animated"] = True
    graph = valid(raw).graph
    assert graph.raw is raw
    assert graph.node("t").raw["width"] == 5
    assert graph.edges[0].raw["animated"] is True
    assert len(NODE_TYPES) == 17
