"""Workflows on the local cloud: real state machines, the real step function."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

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
