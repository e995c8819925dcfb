"""What compiled machines are made of: lint, tries and time-outs, ids only, room in the history."""

from __future__ import annotations

import json
import os
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from statelint.linter import Linter
from tidegate.workflows.compiler import (
    MAX_EVENTS,
    CompileError,
    CompileOptions,
    Estimate,
    compile_definition,
    mermaid,
    route_token,
    svg,
)
from tidegate.workflows.interpreter import Attempt, Visit
from tidegate.workflows.nodes import Done, Loop

from tests.builders.machines import asl_validator_problems
from tests.fakes.strict_aws.stepfunctions import lint
from tests.unit.workflows.graphs import behaviour, random_definition
from tests.unit.workflows.harness import run_both, valid
from tests.unit.workflows.shapes import chain, diamonds, ladder

ROOT = Path(__file__).resolve().parents[3]
GRAPHS = 500 if os.environ.get("LONG") == "1" else 40
STEP = "arn:aws:lambda:us-east-1:123456789012:function:step"

Json = dict[str, Any]


def flow_of(*nodes: tuple[str, str, Json], edges: list[str]) -> Json:
    """A definition from (id, type, data) and edges `a>b` or `a:handle>b`."""
    listed: list[Json] = []
    for number, text in enumerate(edges):
        source, target = text.split(">")
        source, _, handle = source.partition(":")
        edge = {"id": f"e{number}", "source": source, "target": target}
        listed.append({**edge, "sourceHandle": handle} if handle else edge)
    return {
        "nodes": [{"id": name, "type": kind, "data": data} for name, kind, data in nodes],
        "edges": listed,
    }


T: Json = {"output": {"x": 1}}
LOOP: Json = {
    "items": "{{list}}",
    "definition": flow_of(("s", "start", {}), ("t", "transform", T), edges=["s>t"]),
}
LOOPED = flow_of(("s", "start", {}), ("loop", "foreach", LOOP), edges=["s>loop"])


def all_states(machine: Json) -> Iterator[tuple[str, Json]]:
    """Every (name, state) at every level."""
    for name, state in machine["States"].items():
        yield name, state
        for branch in state.get("Branches", ()):
            yield from all_states(branch)
        if "ItemProcessor" in state:
            yield from all_states(state["ItemProcessor"])


def machines(count: int) -> Iterator[tuple[int, Json]]:
    """Random machines of all sizes and kinds of nodes."""
    for seed in range(count):
        yield seed, compile_definition(valid(random_definition(seed, 3 + seed % 40))).machine


@pytest.mark.hazard("E20")
@pytest.mark.bite("tidegate.workflows.compiler.states.onward", returns={})
def test_statelint_accepts() -> None:
    """E20: every machine passes statelint, whose gap about Wait (see lint) is bridged."""
    for seed, machine in machines(GRAPHS):
        assert lint(json.dumps(machine)) == (), seed
    plain = compile_definition(valid(random_definition(1, 12, loops=False))).machine
    assert [text for text in Linter.validate(plain) if "Timestamp" not in text] == []


@pytest.mark.hazard("E20")
def test_asl_validator_accepts(tmp_path: Path) -> None:
    """E20: the second, independent linter accepts them as well."""
    named = {str(seed): machine for seed, machine in machines(GRAPHS)}
    assert asl_validator_problems(named, tmp_path) == ""


@pytest.mark.hazard("E20")
@pytest.mark.bite("tidegate.workflows.compiler.states.catcher", returns={})
def test_every_task_is_guarded() -> None:
    """E20: every task has Retry, Catch and a time-out; names are legal and unique."""
    for seed, machine in machines(GRAPHS):
        names = [name for name, _ in all_states(machine)]
        assert len(names) == len(set(names)), seed
        assert all(0 < len(name) <= 80 for name in names)
        for name, state in all_states(machine):
            if state["Type"] != "Task":
                continue
            assert 0 < state["TimeoutSeconds"] <= 99_999_999, name
            assert state["Retry"], name
            assert all(0 < retrier["MaxAttempts"] <= 9 for retrier in state["Retry"]), name
            assert ["States.ALL"] in [one.get("ErrorEquals") for one in state["Catch"]], name


CANARY = "c4n4ry"


def with_canaries(definition: Json) -> Json:
    """The definition with a mark in every text that users write."""
    text = json.dumps(definition)
    for plain in ("May I?", "one way", "https://example.com/", "a@example.com"):
        text = text.replace(plain, f"{plain}{CANARY} {{% $states %}}")
    marked: Json = json.loads(text)
    for node in marked["nodes"]:
        node["data"]["label"] = f"{CANARY} {{% 1 %}}"
    return marked


@pytest.mark.hazard("E9")
@pytest.mark.bite(
    "tidegate.workflows.compiler.emit.route_token", replacement=lambda node, route: route
)
def test_machines_carry_ids_only() -> None:
    """E9: no text of users is in a machine, and what states hand on stays small."""
    for seed in range(20):
        raw = with_canaries(random_definition(seed, 20))
        for node in raw["nodes"]:
            if node["type"] == "switch":
                node["data"]["cases"] = [{"name": CANARY, "equals": 1}]
                for edge in raw["edges"]:
                    if edge["source"] == node["id"] and edge.get("sourceHandle") != "default":
                        edge["sourceHandle"] = CANARY
        assert CANARY not in json.dumps(compile_definition(valid(raw)).machine), seed
        both = run_both(random_definition(seed, 20), big_outputs(seed))
        assert both.walker.largest < 2048
        assert "payload-" not in json.dumps(both.walker.handed_on)


def big_outputs(seed: int) -> Any:
    """The behaviour of `seed` with outputs of 100 KB."""
    execute = behaviour(seed)

    def tried(visit: Visit) -> Attempt:
        attempt = execute(visit)
        if isinstance(attempt.result, Done):
            output = {**attempt.result.output, "big": "payload-" * 12_500}
            return Attempt(Done(output, attempt.result.route), attempt.seconds)
        return attempt

    return tried


def test_expressions_are_ours() -> None:
    """The JSONata in machines comes from a closed list of forms."""
    allowed = re.compile(
        r"\$states\.(context\.(Execution\.(Input\.(tenant_id|execution_id)|Id)|Task\.Token)"
        r"|result\.(Payload\.)?(route|until|count|machine|name|child)"
        r"|input\.(route|step_id|error|until|count|machine|name|child|at)|errorOutput\.Error)"
        r"|\$states\.input\.route (= \"\w+\"|in \[(\"\w+\"(, )?)+\])"
        r"|\$states\.input\.count <= \d+|\[0\.\.\$states\.input\.count - 1\]"
        r"|\$at\d & '[\w-]+'"
        r"|(\$at\d & )?'[\w-]+\[' & \$string\(\$states\.context\.Map\.Item\.Value\) & '\]\.'"
    )
    for seed, machine in machines(GRAPHS):
        for text in re.findall(r"\{% (.*?) %\}", json.dumps(machine).replace('\\"', '"')):
            assert allowed.fullmatch(text), (seed, text)


@pytest.mark.hazard("E10")
@pytest.mark.bite(
    "tidegate.workflows.compiler.compile.estimate_states",
    replacement=lambda states: Estimate(0, 0),
)
def test_history_has_room() -> None:
    """E10: the largest graphs stay below the event limit; what cannot is refused at publish."""
    for raw in (chain(199), diamonds(66), ladder(8, 10)):
        compiled = compile_definition(valid(raw))
        assert compiled.estimate.events < MAX_EVENTS <= 25_000
    with pytest.raises(CompileError):
        compile_definition(valid(chain(50)), CompileOptions(max_events=1000))


def loop_sizes(machine: Json) -> list[int]:
    """The counts up to which loops run inline."""
    text = json.dumps(machine)
    return [int(found) for found in re.findall(r"input\.count <= (\d+)", text)]


@pytest.mark.hazard("E10")
def test_large_loops_move_to_child_executions() -> None:
    """E10: a loop is inline while its items fit into the history, and distributed beyond."""
    compiled = compile_definition(valid(LOOPED))
    (limit,) = loop_sizes(compiled.machine)
    assert 100 < limit < 25_000 // 10
    for count, inline in ((3, True), (limit, True), (limit + 1, False), (1000, False)):
        items = list(range(count))

        def execute(visit: Visit, items: list[int] = items) -> Attempt:
            done = Loop(items) if visit.node.id == "loop" else Done({"seen": visit.scope.loop})
            return Attempt(done, 1.0)

        both = run_both(LOOPED, execute, compiled)
        assert both.ended[0] == "SUCCEEDED"
        assert ("loop.inline" in both.walker.entered) == inline
        output = both.run.step("loop").output
        assert output is not None
        assert output["count"] == count
        assert output["results"][-1] == {"seen": {"item": count - 1, "index": count - 1}}
        assert both.compiled_steps() == both.reference_steps()
    two = valid(
        flow_of(
            ("s", "start", {}), ("a", "foreach", LOOP), ("b", "foreach", LOOP), edges=["s>a", "a>b"]
        )
    )
    assert sum(loop_sizes(compile_definition(two).machine)) <= limit


def test_nested_loops() -> None:
    """Items of an outer loop have histories of their own; step ids name every position."""
    outer = {**LOOP, "definition": LOOPED, "on_item_error": "collect"}
    raw = flow_of(("s", "start", {}), ("out", "foreach", outer), edges=["s>out"])

    def execute(visit: Visit) -> Attempt:
        if visit.node.type == "foreach":
            return Attempt(Loop([10, 20]), 1.0)
        return Attempt(Done({"id": visit.step_id}), 1.0)

    both = run_both(raw, execute)
    assert both.compiled_steps() == both.reference_steps()
    assert "out[1].loop[0].t" in both.compiled_steps()
    assert not any(name.endswith("out.inline") for name in both.walker.entered)


def test_exclusive_branches_become_a_choice() -> None:
    """A condition calls only the branch it takes; the other is recorded as skipped."""
    cond = {"condition": {"left": 1, "op": "eq", "right": 1}}
    raw = flow_of(
        ("s", "start", {}), ("c", "condition", cond), ("a", "transform", T),
        ("a2", "transform", T), ("b", "transform", T), ("j", "end", {}),
        edges=["s>c", "c:true>a", "a>a2", "c:false>b", "a2>j", "b>j"],
    )  # fmt: skip
    both = run_both(
        raw, lambda visit: Attempt(Done({}, "false" if visit.node.id == "c" else "next"))
    )
    assert [state["Type"] for _, state in all_states(both.compiled.machine)].count("Parallel") == 0
    runs = [step_id for action, step_id in both.ledger.calls if action == "run"]
    assert runs == ["s", "c", "b", "j"]
    assert both.compiled_steps() == both.reference_steps()
    assert both.run.step("a2").status == "skipped"


def test_route_tokens() -> None:
    """Case names stay out; the other routes keep their names."""
    cases = [{"name": "error", "equals": 1}, {"name": "x y", "equals": 2}]
    definition = valid(
        flow_of(
            ("s", "start", {}), ("w", "switch", {"value": 1, "cases": cases[1:]}),
            ("a", "end", {}), edges=["s>w", "w:x y>a", "w:default>a"],
        )
    )  # fmt: skip
    node = definition.graph.node("w")
    assert [route_token(node, route) for route in ("x y", "default", "error", "skipped")] == [
        "case_0", "default", "error", "skipped",
    ]  # fmt: skip


def test_a_gate_that_opens_early_is_noticed() -> None:
    """The walker's ledger refuses a node called before its predecessors ended."""
    raw = ladder(4, 4)
    definition = valid(raw)
    compiled = compile_definition(definition)
    assert compiled.plan.gates[""]
    state = json.dumps(compiled.machine)
    for gate in compiled.plan.gates[""]:
        assert f'"{gate.gate_id}.gate"' in state


def test_diagrams() -> None:
    """Text of users is escaped; states are named and coloured; every edge is drawn."""
    raw = random_definition(4, 12, loops=False)
    raw["nodes"][1]["data"]["label"] = '"]; click n0 "javascript:alert(1)" <script>&#x41;`'
    graph = valid(raw).graph
    status = {"n1": "failed", "n2": "completed", "n3": "no such status"}
    text = mermaid(graph, status)
    assert text.startswith("flowchart TD\n")
    assert text.count("-->") == len(raw["edges"])
    assert ":::failed" in text
    assert "no such" not in text
    labels = re.findall(r'^  n\d+\["([^"]*)"\]', text, flags=re.MULTILINE)
    assert len(labels) == len(graph.nodes)
    assert not any("<script" in label or "`" in label for label in labels)
    picture = svg(graph, status)
    assert picture.count("<rect") == len(graph.nodes)
    assert "<script" not in picture
    assert "failed" in picture
    assert ElementTree.fromstring(picture).tag.endswith("svg")  # noqa: S314 - our own text
