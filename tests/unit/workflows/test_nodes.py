"""Node types: each one's run with its port, its sample, its declarations."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError
from tidegate.workflows.graph import Node
from tidegate.workflows.nodes import (
    NODE_TYPES,
    Child,
    Done,
    Effect,
    Loop,
    Pending,
    Ports,
    Sleep,
    StepCall,
    StepError,
    finish_node,
    run_node,
)
from tidegate.workflows.nodes.aws_action import ACTIONS
from tidegate.workflows.nodes.input_schema import apply_schema, schema_problems
from tidegate.workflows.nodes.ports import AiAnswer, AwsResult, HttpAnswer, SubworkflowStart
from tidegate.workflows.templating import Scope

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ARN = "arn:aws:ec2:eu-west-1:111122223333:instance/i-1"
DATA: dict[str, dict[str, Any]] = {
    "start": {},
    "end": {"output": {"a": "{{n}}"}},
    "condition": {"condition": {"left": "{{n}}", "op": "gt", "right": 1}},
    "switch": {"value": "{{n}}", "cases": [{"name": "five", "equals": 5}]},
    "delay": {"seconds": "{{n}}"},
    "email": {"to": "a@example.com", "subject": "Hi {{name}}", "body": "b"},
    "http": {
        "method": "POST",
        "url": "https://example.com/{{n}}?k=1",
        "headers": {"Authorization": "Bearer {{secrets.key}}"},
        "body": {"n": "{{n}}"},
    },
    "ai": {"prompt": "p", "output_schema": {"type": "object"}},
    "approval": {"title": "Stop {{name}}?"},
    "notify": {"channel": "realtime", "title": "t", "message": "m"},
    "message": {"target_ids": "{{targets}}", "channel": "email", "text": "x"},
    "calendar_event": {"title": "t", "start": "2026-01-01T00:00:00Z", "end": "later"},
    "transform": {"output": {"key": "{{secrets.key}}", "n": "{{n}}"}},
    "foreach": {"items": "{{targets}}", "definition": {}},
    "subworkflow": {"workflow_id": "w", "input": {"n": "{{n}}"}},
    "aws_action": {
        "account_id": "111122223333",
        "region": "eu-west-1",
        "action": "ec2.stop_instance",
        "resource_arn": ARN,
    },
    "fail": {"error": "E{{n}}", "message": "{{name}} it is"},
}


class Recorder:
    """Every port at once; notes what it is asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, str]] = []
        self.status = 200

    def send(self, *asked: Any, effect_key: str) -> Any:
        self.asked.append((asked, effect_key))
        return "mail-1" if len(asked) == 1 else [{"target_id": "t1", "message_id": "m1"}]

    def call(self, request: Any, *, effect_key: str) -> HttpAnswer:
        self.asked.append((request, effect_key))
        return HttpAnswer(self.status, {"x": "1"}, {"echo": request.headers.get("Authorization")})

    def infer(self, request: Any, *, effect_key: str) -> AiAnswer:
        return AiAnswer("{}", {"a": 1}, "m", {"total_tokens": 3}, 0.5)

    def open(self, request: Any, *, task_token: str, effect_key: str) -> str:
        self.asked.append((request, task_token))
        return "approval-1"

    def notify(self, notice: Any, *, effect_key: str) -> None:
        self.asked.append((notice, effect_key))

    def create_event(self, event: Any, *, effect_key: str) -> str:
        return "event-1"

    def act(self, call: Any, *, effect_key: str) -> AwsResult:
        self.asked.append((call, effect_key))
        return AwsResult("action-1", {"state": "stopping"}, "2026-01-05T00:00:00Z")

    def start(self, *asked: Any, wait: bool, effect_key: str) -> SubworkflowStart:
        return SubworkflowStart("child-1", "arn:machine", "child-name")

    def result(self, execution_id: str) -> dict[str, Any]:
        return {"of": execution_id}


def call(kind: str, port: Recorder, data: dict[str, Any] | None = None, **scope: Any) -> StepCall:
    """A try of a node of that type."""
    known = {"n": 5, "name": "Ann", "targets": ["t1", "t2"], **scope}
    every: Any = port
    return StepCall(
        node=Node("node", kind, DATA[kind] if data is None else data, {}, 0),
        step_id="node",
        execution_id="execution",
        scope=Scope(input=known, secret=lambda name: "s3cret"),
        ports=Ports(every, every, every, every, every, every, every, every, every),
        now=lambda: NOW,
        task_token="token",
    )


def test_every_type_runs() -> None:
    """Outputs hold the fields of the contract's table; routes are right; templates are filled."""
    port = Recorder()
    results = {
        kind: run_node(call(kind, port)) for kind in NODE_TYPES if kind not in ("fail", "approval")
    }
    assert results["start"] == Done()
    assert results["end"] == Done({"a": 5})
    assert results["condition"] == Done({"result": True}, "true")
    assert results["switch"] == Done({}, "five")
    assert results["delay"] == Sleep(datetime(2026, 1, 2, 3, 4, 10, tzinfo=UTC))
    assert results["email"] == Done({"email_sent": True, "email_id": "mail-1"})
    assert results["ai"] == Done(
        {"text": "{}", "model": "m", "usage": {"total_tokens": 3}, "cost": 0.5, "json": {"a": 1}}
    )
    assert results["notify"] == Done({"notified": True})
    assert results["message"] == Done({"sent": [{"target_id": "t1", "message_id": "m1"}]})
    assert results["calendar_event"] == Done({"event_id": "event-1"})
    assert results["foreach"] == Loop(["t1", "t2"])
    assert results["subworkflow"] == Child("child-1", "arn:machine", "child-name")
    assert results["aws_action"] == Done(
        {
            "action_id": "action-1",
            "result": {"state": "stopping"},
            "undo_until": "2026-01-05T00:00:00Z",
        }
    )
    assert {key for _, key in port.asked} == {"execution/node"}
    with pytest.raises(StepError, match="E5: Ann it is"):
        run_node(call("fail", port))


def test_secrets_go_out_and_never_on() -> None:
    """A secret reaches the port; what the step hands on shows ***, errors as well (WF-15)."""
    port = Recorder()
    done = run_node(call("http", port))
    request = port.asked[0][0]
    assert request.headers == {"Authorization": "Bearer s3cret"}
    assert request.url == "https://example.com/5?k=1"
    assert request.body == {"n": 5}
    assert done == Done({"status": 200, "headers": {"x": "1"}, "body": {"echo": "Bearer ***"}})
    assert run_node(call("transform", port)) == Done({"key": "***", "n": 5})

    def refuse(request: Any, *, effect_key: str) -> HttpAnswer:
        raise StepError("NETWORK", f"cannot send {request.headers}", retryable=True)

    port.call = refuse  # type: ignore[method-assign]
    with pytest.raises(StepError) as failed:
        run_node(call("http", port))
    assert "s3cret" not in failed.value.message
    assert failed.value.retryable


@pytest.mark.parametrize(
    ("status", "expect", "outcome"),
    [
        (204, None, "done"), (301, None, "final"), (404, None, "final"), (429, None, "again"),
        (500, None, "again"), (503, [503, 200], "done"), (200, 201, "final"), (404, 404, "done"),
    ],
)  # fmt: skip
def test_http_statuses(status: int, expect: Any, outcome: str) -> None:
    """Unexpected 429 and 5xx may be retried, other unexpected answers not."""
    port = Recorder()
    port.status = status
    data = {**DATA["http"], **({} if expect is None else {"expect_status": expect})}
    if outcome == "done":
        assert isinstance(run_node(call("http", port, data)), Done)
        return
    with pytest.raises(StepError) as failed:
        run_node(call("http", port, data))
    assert (failed.value.code, failed.value.retryable) == (f"HTTP_{status}", outcome == "again")


def test_deep_answers_fail_the_step() -> None:
    """An answer that would exhaust the stack later is refused."""
    deep: Any = []
    for _ in range(5000):
        deep = [deep]
    port = Recorder()
    port.call = lambda request, *, effect_key: HttpAnswer(200, {}, deep)  # type: ignore[method-assign]
    with pytest.raises(StepError, match="nests deeper"):
        run_node(call("http", port))


def test_approvals() -> None:
    """An approval parks with its token; only an approved decision goes the true way."""
    port = Recorder()
    assert run_node(call("approval", port)) == Pending("approval-1")
    request, token = port.asked[0]
    assert (request.title, request.quorum, request.expires_in_seconds, token) == (
        "Stop Ann?", 1, 259_200, "token",
    )  # fmt: skip
    answer = {"decision": "approved", "approval_id": "approval-1", "decided_by": "u"}
    done = finish_node(call("approval", port), answer)
    assert done == Done({**answer, "comment": ""}, "true")
    for decision in ("rejected", "expired", None, True, "APPROVED"):
        finished = finish_node(call("approval", port), {**answer, "decision": decision})
        assert finished.route == "false"


def test_waiting_steps_finish() -> None:
    """What a step waited for becomes its output."""
    port = Recorder()
    assert finish_node(call("delay", port), {}) == Done()
    assert finish_node(call("subworkflow", port), {"execution_id": "c"}) == Done(
        {"execution_id": "c", "output": {"of": "c"}}
    )
    errors = [{"index": 1, "code": "E", "message": "m"}]
    assert finish_node(call("foreach", port), {"results": [1, None], "errors": errors}) == Done(
        {"results": [1, None], "errors": errors, "count": 2}
    )
    not_waiting = {**DATA["subworkflow"], "wait": False}
    assert run_node(call("subworkflow", port, not_waiting)) == Done(
        {"execution_id": "child-1", "output": {}}
    )
    assert run_node(call("foreach", port, None, targets=[])) == Done(
        {"results": [], "errors": [], "count": 0}
    )
    with pytest.raises(StepError, match="does not wait"):
        finish_node(call("transform", port), {})


@pytest.mark.parametrize(
    ("kind", "data", "scope", "code"),
    [
        ("delay", None, {"n": "soon"}, "INVALID_DATA"),
        ("delay", None, {"n": "{{n}}"}, "INVALID_DATA"),
        ("delay", None, {"n": 0}, "INVALID_DATA"),
        ("delay", {"until": "{{name}}"}, {}, "INVALID_DATA"),
        ("delay", {"until": "9999-01-01T00:00:00Z"}, {}, "INVALID_DATA"),
        ("foreach", None, {"targets": list(range(10_001))}, "INVALID_DATA"),
        ("foreach", None, {"targets": "text"}, "INVALID_DATA"),
        ("transform", {"output": {"a": "{{gone}}"}}, {}, "MISSING_VALUE"),
        ("condition", {"condition": {"left": "{{name}}", "op": "gt", "right": 1}}, {},
         "CONDITION_TYPE"),
        ("condition", {"condition": {"left": "{{gone}}", "op": "gt", "right": 1}}, {},
         "MISSING_VALUE"),
        ("message", None, {"targets": []}, "INVALID_DATA"),
    ],
)  # fmt: skip
def test_runs_that_cannot(kind: str, data: Any, scope: dict[str, Any], code: str) -> None:
    """Filled data is checked like saved data; the error names the code and is final."""
    with pytest.raises(StepError) as failed:
        run_node(call(kind, Recorder(), data, **scope))
    assert (failed.value.code, failed.value.retryable) == (code, False)


def test_unwired_ports_fail_the_step() -> None:
    """A step never pretends: without its port it fails."""
    for kind, data in DATA.items():
        node = Node("node", kind, data, {}, 0)
        scope = Scope(input={"n": 5, "name": "x", "targets": ["a"]}, secret=lambda name: "s")
        step = StepCall(node, "node", "e", scope, Ports(), lambda: NOW, task_token="t")
        outside = NODE_TYPES[kind].effect(data) is not Effect.PURE or kind == "approval"
        if outside:
            with pytest.raises(StepError, match="NODE_UNAVAILABLE"):
                run_node(step)


def test_declarations() -> None:
    """Effects are those of WF-12; samples have the outputs' fields; IAM actions are declared."""
    effects = {kind for kind in NODE_TYPES if NODE_TYPES[kind].effect(DATA[kind]) is Effect.EFFECT}
    assert effects == {
        "email", "http", "ai", "notify", "message", "calendar_event", "aws_action", "subworkflow",
    }  # fmt: skip
    for method in ("GET", "HEAD"):
        assert NODE_TYPES["http"].effect({"method": method}) is Effect.READ
    fields = {
        "email": {"email_sent", "email_id"}, "http": {"status", "headers", "body"},
        "ai": {"text", "json", "model", "usage", "cost"}, "notify": {"notified"},
        "approval": {"decision", "approval_id", "decided_by", "comment"}, "message": {"sent"},
        "calendar_event": {"event_id"}, "foreach": {"results", "errors", "count"},
        "subworkflow": {"execution_id", "output"}, "condition": {"result"},
        "aws_action": {"action_id", "result", "undo_until"},
    }  # fmt: skip
    for kind, names in fields.items():
        data = NODE_TYPES[kind].data_model.model_validate(DATA[kind])
        assert set(NODE_TYPES[kind].sample(data).output) == names, kind
        assert NODE_TYPES[kind].summary(data)
    for action, spec in ACTIONS.items():
        data = {**DATA["aws_action"], "action": action, "parameters": {"tags": {}}}
        assert NODE_TYPES["aws_action"].iam_actions(data) == spec.iam_actions
        assert spec.iam_actions
    for kind in NODE_TYPES:
        assert NODE_TYPES[kind].data_model.model_json_schema()["type"] == "object"
        with pytest.raises(ValidationError):
            NODE_TYPES[kind].data_model.model_validate({**DATA[kind], "timeout_seconds": 0})


def test_input_schemas() -> None:
    """Defaults fill in; missing and wrong values are told apart; unsupported words are refused."""
    schema: dict[str, Any] = {
        "type": "object",
        "required": ["name", "n"],
        "properties": {
            "name": {"type": "string", "minLength": 2},
            "n": {"type": "integer", "minimum": 1, "default": 3},
            "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 2},
            "deep": {"type": "object", "properties": {"x": {"enum": [1, "a"]}}},
        },
        "additionalProperties": False,
    }
    assert list(schema_problems(schema, "s", top=True)) == []
    assert apply_schema(schema, {"name": "Ann"}) == ({"name": "Ann", "n": 3}, [])
    _, problems = apply_schema(
        schema, {"n": 0.5, "tags": ["a", 1, "c"], "deep": {"x": True}, "more": 1}
    )
    assert {(one.path, one.kind) for one in problems} == {
        ("name", "missing"), ("n", "invalid"), ("tags", "invalid"), ("tags.1", "invalid"),
        ("deep.x", "invalid"), ("more", "invalid"),
    }  # fmt: skip
    for bad in (
        {"type": "any"}, {"pattern": "(a+)+$"}, {"$ref": "#"}, {"properties": []}, {"enum": []},
        {"required": "a"}, {"minLength": "1"}, {"items": 5}, {"additionalProperties": {}}, 5,
    ):  # fmt: skip
        assert list(schema_problems(bad, "s")), bad
