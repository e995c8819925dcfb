"""Workflows on the local cloud: real state machines, the real step function."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from tidegate_kit.clock import system_clock
from tidegate_kit.ids import new_id
from tidegate_kit.webhooks import signed_headers

from tests.builders.workflows import chain, edge, graph, node
from tests.e2e.conftest import Owner, RunningCloud

_PATIENCE = 60.0


@pytest.fixture(scope="module")
def http(new_owner: Callable[[], Owner]) -> httpx.Client:
    return new_owner().http


def create(http: httpx.Client, definition: dict[str, Any], **body: Any) -> dict[str, Any]:
    answer = http.post("/api/workflows", json={"name": "W", "definition": definition, **body})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def until(
    http: httpx.Client, execution_id: str, wanted: Callable[[dict[str, Any]], bool]
) -> dict[str, Any]:
    """Ask for the execution until it is as wanted: the cloud works at its own pace."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        answer = http.get(f"/api/workflows/executions/{execution_id}")
        assert answer.status_code == 200, answer.text
        seen: dict[str, Any] = answer.json()
        if wanted(seen):
            return seen
        assert time.monotonic() < deadline, f"never came to be: {seen}"
        time.sleep(0.2)


def ended(seen: dict[str, Any]) -> bool:
    return seen["status"] in {"completed", "failed", "cancelled", "timed_out"}


def test_a_chain_runs_to_its_end_synchronously(http: httpx.Client) -> None:
    definition = graph(
        node("start", "start"),
        node("greet", output={"text": "Hello {{name}}", "n": "{{input.count}}"}),
        node("many", "condition", condition={"left": "{{count}}", "op": "gt", "right": 1}),
        node("yes", output={"way": "yes"}),
        node("no", output={"way": "no"}),
        node("end", "end", output={"text": "{{nodes.greet.output.text}}", "n": "{{count}}"}),
        edge("start", "greet"), edge("greet", "many"), edge("many", "yes", "true"),
        edge("many", "no", "false"), edge("yes", "end"), edge("no", "end"),
    )  # fmt: skip
    made = create(http, definition)
    answer = http.post(
        f"/api/workflows/{made['id']}/execute",
        json={"input_data": {"name": "Ada", "count": 2}, "execution_mode": "sync"},
    )
    assert answer.status_code == 200, answer.text
    run = answer.json()
    assert run["status"] == "completed"
    assert run["output_data"] == {"text": "Hello Ada", "n": 2}
    statuses = {step["step_id"]: step["status"] for step in run["steps"]}
    assert statuses == {
        "start": "completed", "greet": "completed", "many": "completed", "yes": "completed",
        "no": "skipped", "end": "completed",
    }  # fmt: skip
    stats = http.get(f"/api/workflows/{made['id']}").json()["execution_stats"]
    assert (stats["total_executions"], stats["running_executions"]) == (1, 0)


def test_history_holds_ids_only(http: httpx.Client, cloud: RunningCloud) -> None:
    made = create(http, chain(node("a", output={"x": "{{secretish}}"})))
    marker = "canary-value-5f2c"
    run = http.post(
        f"/api/workflows/{made['id']}/execute",
        json={"input_data": {"secretish": marker}, "execution_mode": "sync"},
    ).json()
    states = cloud.aws("stepfunctions")
    machines = states.list_state_machines(maxResults=1000)["stateMachines"]
    arn = next(m["stateMachineArn"] for m in machines if m["name"].endswith(made["id"]))
    execution = arn.replace(":stateMachine:", ":execution:") + f":{run['id']}"
    history = states.get_execution_history(executionArn=execution, maxResults=1000)
    assert history["events"]
    assert marker not in str(history)
    assert marker not in str(states.describe_execution(executionArn=execution))


def test_a_failing_step_fails_the_execution(http: httpx.Client) -> None:
    stop = node("stop", "fail", error="NO_WAY", message="not today")
    made = create(http, graph(node("start", "start"), stop, edge("start", "stop")))
    answer = http.post(f"/api/workflows/{made['id']}/execute", json={"execution_mode": "sync"})
    assert answer.status_code == 422, answer.text
    error = answer.json()["error"]
    assert error["code"] == "WORKFLOW_EXECUTION_FAILED"
    details = {detail["field"]: detail["message"] for detail in error["details"]}
    assert details["stop"] == "NO_WAY: not today"
    run = http.get(f"/api/workflows/executions/{details['execution_id']}").json()
    assert run["status"] == "failed"
    assert run["error"] == {"code": "NO_WAY", "message": "not today", "step_id": "stop"}


def test_an_approval_waits_for_somebody_else(
    cloud: RunningCloud, new_owner: Callable[[], Owner]
) -> None:
    owner = new_owner()
    definition = graph(
        node("start", "start"),
        node("ask", "approval", title="Go on?"),
        node("tell", "notify", channel="realtime", title="Done", message="it went on"),
        edge("start", "ask"),
        edge("ask", "tell", "true"),
    )
    made = create(owner.http, definition)
    started = owner.http.post(f"/api/workflows/{made['id']}/execute", json={}).json()
    until(owner.http, started["execution_id"], lambda seen: seen["status"] == "waiting")
    (approval,) = owner.http.get("/api/approvals?status=pending").json()["approvals"]
    vote = {"subject_hash": approval["subject"]["hash"]}
    own = owner.http.post(f"/api/approvals/{approval['id']}/approve", json=vote)
    assert own.json()["error"]["code"] == "SELF_APPROVAL"
    colleague = member_of(cloud, owner)
    decided = colleague.post(f"/api/approvals/{approval['id']}/approve", json=vote)
    assert decided.json()["status"] == "approved", decided.text
    run = until(owner.http, started["execution_id"], ended)
    assert run["status"] == "completed", run
    asked = next(step for step in run["steps"] if step["step_id"] == "ask")
    assert asked["output"]["decision"] == "approved"


def member_of(cloud: RunningCloud, owner: Owner) -> httpx.Client:
    """A client of another member of the owner's tenant, who may decide."""
    email, password = f"{new_id()}@example.com", f"pw-{new_id()}"
    invited = owner.http.post(
        "/api/members/invitations", json={"email": email, "roles": ["client"]}
    )
    assert invited.status_code == 201, invited.text
    http = cloud.http()
    registered = http.post(
        "/api/auth/register",
        json={
            "email": email, "password": password, "first_name": "Bob", "last_name": "Example",
            "company": "Example", "invitation_token": invited.json()["invitation_token"],
        },
    )  # fmt: skip
    assert registered.status_code == 201, registered.text
    login = http.post("/api/auth/login", json={"email": email, "password": password})
    http.headers["Authorization"] = f"Bearer {login.json()['access_token']}"
    return http


def test_loops_delays_and_children_run(http: httpx.Client) -> None:
    child = create(http, chain(node("double", output={"twice": ["{{n}}", "{{n}}"]})))
    inner = graph(node("in", "start"), node("use", output={"i": "{{index}}", "v": "{{item}}"}),
                  edge("in", "use"))  # fmt: skip
    definition = chain(
        node("pause", "delay", seconds=1),
        node("each", "foreach", items="{{list}}", definition=inner),
        node("call", "subworkflow", workflow_id=child["id"], input={"n": "{{list.1}}"}),
    )
    made = create(http, definition)
    answer = http.post(
        f"/api/workflows/{made['id']}/execute",
        json={"input_data": {"list": ["a", "b", "c"]}},
    )
    run = until(http, answer.json()["execution_id"], ended)
    assert run["status"] == "completed", run
    outputs = {step["step_id"]: step.get("output") for step in run["steps"]}
    assert outputs["each"]["results"] == [{"i": i, "v": v} for i, v in enumerate("abc")]
    assert outputs["call"]["output"] == {"twice": ["b", "b"]}


def test_gates_open_on_a_graph_that_is_not_series_parallel(http: httpx.Client) -> None:
    definition = graph(
        node("start", "start"),
        *(node(name) for name in "abcde"),
        edge("start", "a"), edge("start", "b"), edge("a", "c"), edge("b", "c"), edge("b", "d"),
        edge("a", "e"), edge("d", "e"),
    )  # fmt: skip
    made = create(http, definition)
    started = http.post(f"/api/workflows/{made['id']}/execute", json={}).json()
    run = until(http, started["execution_id"], ended)
    assert run["status"] == "completed", run
    assert {step["status"] for step in run["steps"]} == {"completed"}
    assert len(run["steps"]) == 6


def test_a_cancelled_execution_stops_its_machine(http: httpx.Client, cloud: RunningCloud) -> None:
    made = create(http, chain(node("pause", "delay", seconds=600)))
    started = http.post(f"/api/workflows/{made['id']}/execute", json={}).json()
    until(http, started["execution_id"], lambda seen: seen["status"] == "waiting")
    url = f"/api/workflows/executions/{started['execution_id']}/cancel"
    assert http.post(url).json()["status"] == "cancelled"
    states = cloud.aws("stepfunctions")
    machines = states.list_state_machines(maxResults=1000)["stateMachines"]
    arn = next(m["stateMachineArn"] for m in machines if m["name"].endswith(made["id"]))
    execution = arn.replace(":stateMachine:", ":execution:") + f":{started['execution_id']}"
    assert states.describe_execution(executionArn=execution)["status"] == "ABORTED"
    assert http.post(url).json()["error"]["code"] == "EXECUTION_FINISHED"


def test_a_machine_that_dies_ends_its_execution(http: httpx.Client, cloud: RunningCloud) -> None:
    made = create(http, chain(node("pause", "delay", seconds=600)))
    started = http.post(f"/api/workflows/{made['id']}/execute", json={}).json()
    until(http, started["execution_id"], lambda seen: seen["status"] == "waiting")
    states = cloud.aws("stepfunctions")
    machines = states.list_state_machines(maxResults=1000)["stateMachines"]
    arn = next(m["stateMachineArn"] for m in machines if m["name"].endswith(made["id"]))
    execution = arn.replace(":stateMachine:", ":execution:") + f":{started['execution_id']}"
    states.stop_execution(executionArn=execution, error="Killed")
    run = until(http, started["execution_id"], ended)
    assert run["status"] == "failed"
    assert run["error"]["code"] == "EXECUTION_INTERRUPTED"


def test_hooks_and_schedules_start_workflows(http: httpx.Client, cloud: RunningCloud) -> None:
    made = create(http, chain(node("a", output={"n": "{{trigger.type}}"})))
    hook = http.post(f"/api/workflows/{made['id']}/hooks", json={}).json()
    body = b'{"n": 1}'
    headers = signed_headers([hook["secret"]], "msg_1", system_clock(), body)
    called = cloud.http().post(f"/api/hooks/{hook['hook_id']}", content=body, headers=headers)
    assert called.status_code == 202, called.text
    run = until(http, called.json()["execution_id"], ended)
    assert (run["status"], run["output_data"]) == ("completed", {"n": "webhook"})
    url = f"/api/workflows/{made['id']}/schedule"
    stored = http.put(url, json={"expression": "rate(1 minute)"})
    assert stored.status_code == 200, stored.text
    kept = cloud.aws("scheduler").get_schedule(
        Name=f"wf-{made['id']}", GroupName="tidegate-local-workflows"
    )
    target = kept["Target"]
    event = {**json.loads(target["Input"]), "scheduled_time": "2026-11-23T08:00:00Z"}
    answer = cloud.aws("lambda").invoke(
        FunctionName=target["Arn"], Payload=json.dumps(event).encode()
    )
    started = json.loads(answer["Payload"].read())
    run = until(http, started["execution_id"], ended)
    assert (run["trigger"], run["status"]) == ("schedule", "completed")
    assert http.delete(url).status_code == 200


def test_a_repaired_version_resumes_while_the_old_one_stays(http: httpx.Client) -> None:
    def definition(limit: int) -> dict[str, Any]:
        stop = node("stop", "fail", error="SMALL", message="too small")
        return graph(
            node("start", "start"),
            node("work", output={"n": "{{n}}"}),
            node("check", "condition", condition={"left": "{{n}}", "op": "gt", "right": limit}),
            stop,
            node("end", "end", output={"n": "{{nodes.work.output.n}}"}),
            edge("start", "work"),
            edge("work", "check"),
            edge("check", "end", "true"),
            edge("check", "stop", "false"),
        )

    made = create(http, definition(5))
    body = {"input_data": {"n": 3}}
    first = http.post(f"/api/workflows/{made['id']}/execute", json=body).json()["execution_id"]
    assert until(http, first, ended)["status"] == "failed"
    http.put(f"/api/workflows/{made['id']}", json={"definition": definition(1)})
    resumed = http.post(f"/api/workflows/executions/{first}/resume", json={})
    assert resumed.status_code == 202, resumed.text
    run = until(http, resumed.json()["execution_id"], ended)
    assert (run["status"], run["output_data"]) == ("completed", {"n": 3})
    assert {step["step_id"] for step in run["steps"] if step.get("reused")} == {"start", "work"}
    pinned = http.post(f"/api/workflows/{made['id']}/execute", json={**body, "version": 1}).json()
    assert until(http, pinned["execution_id"], ended)["error"]["code"] == "SMALL"
