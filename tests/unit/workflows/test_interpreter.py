"""The reference interpreter and dry runs: skips, routes, outputs, order, cost of time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from tidegate.workflows.graph import load_definition, parse_step_id
from tidegate.workflows.interpreter import (
    Attempt,
    Decision,
    Flow,
    Settled,
    Status,
    dry_run,
    interpret,
    merge_output,
)
from tidegate.workflows.nodes import Done, StepError
from tidegate.workflows.validation import prepare_input, validate_definition

from tests.unit.workflows.graphs import random_definition
from tests.unit.workflows.harness import valid
from tests.unit.workflows.test_machines import flow_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def out(**output: Any) -> dict[str, Any]:
    """Data of a transform."""
    return {"output": output}


BRANCHED = flow_of(
    ("s", "start", {}),
    ("c", "condition", {"condition": {"left": "{{n}}", "op": "gt", "right": 1}}),
    ("yes", "transform", out(way="yes", n="{{n}}")),
    ("no", "transform", out(way="no")),
    ("after_no", "transform", out(deeper=1)),
    ("j", "transform", out(joined=True)),
    edges=["s>c", "c:true>yes", "c:false>no", "no>after_no", "yes>j", "after_no>j"],
)


def test_branches_skip_and_join() -> None:
    """The branch not taken is skipped to its end; the join runs once."""
    dry = dry_run(valid(BRANCHED), {"n": 5}, now=NOW)
    assert [(step.step_id, step.status.value) for step in dry.run.steps] == [
        ("s", "completed"), ("c", "completed"), ("yes", "completed"), ("no", "skipped"),
        ("after_no", "skipped"), ("j", "completed"),
    ]  # fmt: skip
    assert dry.run.output == {"result": True, "way": "yes", "n": 5, "joined": True}
    other = dry_run(valid(BRANCHED), {"n": 0}, now=NOW)
    assert other.run.output == {"result": False, "way": "no", "deeper": 1, "joined": True}


def test_skip_closure() -> None:
    """What a route skips for certain: not the join, whose other edge is open."""
    flow = Flow(valid(BRANCHED).graph)
    assert flow.skip_ids("c", "true") == ("no", "after_no")
    assert flow.skip_ids("c", "false") == ("yes",)
    assert flow.skip_ids("c", "skipped") == ("yes", "no", "after_no", "j")
    assert flow.skip_ids("s", "next") == ()
    index = flow.graph.index
    settled = {index["yes"]: Settled(Status.SKIPPED, None)}
    assert flow.decide(index["j"], settled) is Decision.NOT_YET
    settled[index["after_no"]] = Settled(Status.SKIPPED, None)
    assert flow.decide(index["j"], settled) is Decision.SKIP
    settled[index["after_no"]] = Settled(Status.COMPLETED, "next")
    assert flow.decide(index["j"], settled) is Decision.RUN


def test_output_of_end_nodes() -> None:
    """Reached end nodes that declare an output decide it alone; definition order breaks ties."""
    definition = valid(
        flow_of(
            ("s", "start", {}), ("t", "transform", out(x=1)), ("e2", "end", out(a=2, b=2)),
            ("e1", "end", out(a=1)), ("plain", "end", {}),
            edges=["s>t", "t>e1", "t>e2", "t>plain"],
        )
    )  # fmt: skip
    run = dry_run(definition, {}, now=NOW).run
    assert run.output == {"a": 1, "b": 2}  # e2 is defined first, so e1 comes later and wins
    flow = Flow(definition.graph)
    assert merge_output(flow, {"t": {"output": {"x": 1}}}) == {"x": 1}
    assert merge_output(flow, {"t": {"error": {}}, "s": {"output": []}}) == {}


APPROVED = flow_of(
    ("s", "start", {}), ("ok", "approval", {"title": "t"}), ("go", "transform", out(went=1)),
    edges=["s>ok", "ok:true>go"],
)  # fmt: skip


def test_rejected_approvals() -> None:
    """Without a false edge a rejection fails the step; with one it goes there (WF-7)."""
    rejected = {"ok": {"output": {"decision": "rejected"}}}
    run = dry_run(valid(APPROVED), {}, now=NOW, mocks=rejected).run
    assert run.status == "failed"
    assert run.error is not None
    assert (run.error[0], run.error[1].code) == ("ok", "APPROVAL_REJECTED")
    unnamed = flow_of(*nodes_of(APPROVED), edges=["s>ok", "ok>go"])
    assert dry_run(valid(unnamed), {}, now=NOW, mocks=rejected).run.status == "failed"
    two_ways = flow_of(
        *nodes_of(APPROVED), ("no", "transform", out(no=1)),
        edges=["s>ok", "ok:true>go", "ok:false>no"],
    )  # fmt: skip
    went = dry_run(valid(two_ways), {}, now=NOW, mocks=rejected).run
    assert (went.status, went.step("go").status, went.step("no").status) == (
        "completed", "skipped", "completed",
    )  # fmt: skip


def nodes_of(raw: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    """Nodes as flow_of takes them."""
    return [(node["id"], node["type"], node["data"]) for node in raw["nodes"]]


def test_error_edges_see_the_error() -> None:
    """Behind an error edge nodes.<id>.error is {code, message, attempts}."""
    raw = flow_of(
        ("s", "start", {}),
        ("h", "http", {"method": "GET", "url": "https://example.com"}),
        ("e", "transform", out(error="{{nodes.h.error}}")),
        edges=["s>h", "h:error>e"],
    )
    mocks = {"h": {"error": {"code": "DOWN", "message": "no answer"}}}
    run = dry_run(valid(raw), {}, now=NOW, mocks=mocks).run
    assert run.step("e").output == {
        "error": {"code": "DOWN", "message": "no answer", "attempts": 1}
    }


def test_failure_cancels_the_rest() -> None:
    """A failure without error edge ends the run: what runs is cancelled, nothing new starts."""
    raw = flow_of(
        ("s", "start", {}), ("slow", "transform", out()),
        ("bad", "fail", {"error": "E", "message": "m"}),
        ("after", "transform", out()), edges=["s>slow", "s>bad", "slow>after"],
    )  # fmt: skip
    times = {"s": 1.0, "slow": 10.0, "bad": 2.0}

    def execute(visit: Any) -> Attempt:
        failed = StepError("E", "m") if visit.node.id == "bad" else Done()
        return Attempt(failed, times[visit.node.id])

    run = interpret(valid(raw), {}, execute)
    assert run.seconds == 3.0
    assert {step.step_id: step.status.value for step in run.steps} == {
        "s": "completed", "slow": "cancelled", "bad": "failed",
    }  # fmt: skip


def test_timeouts_are_errors() -> None:
    """A try that takes longer than its time-out fails with TIMEOUT at the limit, and is retried."""
    data = {"method": "GET", "url": "https://a.example", "timeout_seconds": 5}
    data["retry"] = {"max_attempts": 2, "interval_seconds": 1.5}
    raw = flow_of(("s", "start", {}), ("h", "http", data), edges=["s>h"])
    run = interpret(
        valid(raw), {}, lambda visit: Attempt(Done(), 0.0 if visit.node.id == "s" else 9)
    )
    assert run.error is not None
    assert run.error[1].code == "TIMEOUT"
    assert run.step("h").attempts == 2
    assert run.seconds == 5 + 2 + 5  # the pause of 1.5 s is rounded up, as Step Functions waits


def test_dry_runs_call_nothing() -> None:
    """Effects are listed in order with what they would do; samples stand in and are admitted to."""
    raw = flow_of(
        ("s", "start", {}),
        ("h", "http", {"method": "GET", "url": "https://example.com/{{n}}"}),
        (
            "m",
            "email",
            {"to": "{{nodes.h.output.body.owner.mail}}", "template": "follow_up_template"},
        ),
        ("w", "delay", {"seconds": 3600}),
        ("t", "transform", {"output": {"first": "{{nodes.h.output.body.list.1.id}}"}}),
        edges=["s>h", "h>m", "m>w", "w>t"],
    )
    dry = dry_run(valid(raw), {"n": 7}, now=NOW)
    assert dry.run.status == "completed"
    assert dry.would_call == (
        {"node_id": "h", "type": "http", "summary": "GET https://example.com/7"},
        {"node_id": "m", "type": "email", "summary": "send an e-mail to sample"},
    )
    assert len(dry.warnings) == 2
    assert dry.run.seconds == 3600
    mocked = dry_run(
        valid(raw), {"n": 7}, now=NOW,
        mocks={"h": {"output": {"body": {"owner": {"mail": "o@x"}, "list": [1, {"id": 9}]}}}},
    )  # fmt: skip
    assert mocked.warnings == ()
    assert mocked.run.step("t").output == {"first": 9}
    assert mocked.would_call[1]["summary"] == "send an e-mail to o@x"


def test_dry_runs_of_loops_and_secrets() -> None:
    """Loops run per item; secrets show as ***."""
    inner = flow_of(
        ("b", "start", {}),
        ("t", "transform", out(double="{{item}}-{{index}}-{{n}}-{{nodes.first.output.v}}")),
        ("n", "notify", {"channel": "realtime", "title": "{{item}}", "message": "m"}),
        edges=["b>t", "t>n"],
    )
    raw = flow_of(
        ("s", "start", {}),
        ("first", "transform", out(v="{{secrets.k}}")),
        ("loop", "foreach", {"items": "{{list}}", "definition": inner}),
        edges=["s>first", "first>loop"],
    )
    dry = dry_run(valid(raw), {"list": ["a", "b"], "n": 1}, now=NOW)
    output = dry.run.step("loop").output
    assert output is not None
    assert output["results"][1] == {"double": "b-1-1-***", "notified": True}
    assert [one["node_id"] for one in dry.would_call] == ["loop[0].n", "loop[1].n"]


def test_required_inputs() -> None:
    """Paths used without a presence test must be there after the schema's defaults (WF-5)."""
    raw = flow_of(
        ("s", "start", {"input_schema": {"properties": {"d": {"default": 1}, "q": {}},
                                         "required": ["q"]}}),
        ("c", "condition", {"condition": {"any": [
            {"left": "{{opt.x}}", "op": "exists"}, {"left": "{{must}}", "op": "eq", "right": 1}]}}),
        ("t", "transform", out(a="{{opt.x.y}} {{d}} {{input.deep.z}} {{trigger.type}}")),
        ("e", "end", {}),
        edges=["s>c", "c:true>t", "c:false>e", "t>e"],
    )  # fmt: skip
    report = validate_definition(raw)
    assert report.valid
    assert report.definition is not None
    assert report.required_inputs == (("must",), ("d",), ("deep", "z"))
    prepared = prepare_input(report.definition, report.required_inputs, {"deep": {}})
    assert prepared.missing == ("q", "must", "deep.z")
    assert prepared.data == {"deep": {}, "d": 1}
    whole = prepare_input(
        report.definition, report.required_inputs, {"q": 1, "must": None, "deep": {"z": 0}}
    )
    assert (whole.missing, whole.invalid) == ((), ())


@pytest.mark.parametrize("text", ["a", "loop[0].a", "x[12].y_z[3].n-1"])
def test_step_ids(text: str) -> None:
    """Step ids parse and print."""
    step = parse_step_id(text)
    assert str(step) == text
    assert len(step.positions) == text.count("[")


@pytest.mark.parametrize("text", ["a[0]b.c", "a[-1].b", "a[].b", "a.b", "[0"])
def test_bad_step_ids(text: str) -> None:
    """Others are refused, or name no node."""
    try:
        step = parse_step_id(text)
    except ValueError:
        return
    assert step.scope == ""


def test_stored_definitions_load() -> None:
    """A stored definition loads with its loops; a broken one is refused."""
    raw = random_definition(2, 30)
    loaded = load_definition(raw)
    assert {scope for scope, _ in loaded.walk()} == {scope for scope, _ in valid(raw).walk()}
    for scope, part in loaded.walk():
        assert loaded.at(scope) is part
    with pytest.raises(ValueError, match="well-shaped"):
        load_definition({"nodes": [{}], "edges": []})
