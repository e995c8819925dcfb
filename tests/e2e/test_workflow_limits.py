"""What must not hurt a workflow: large data, many items; and what its history may not hold."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from tests.builders.workflows import chain, node
from tests.e2e.conftest import Owner, RunningCloud
from tests.fakes.webhook_receiver import Receiver, receiving

INPUT = "canary-input-4711"
SECRET = "canary-secret-4712"
_FINAL = ("completed", "failed", "cancelled", "timed_out")


@pytest.fixture(scope="module")
def http(new_owner: Callable[[], Owner]) -> httpx.Client:
    return new_owner().http


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


def run(
    http: httpx.Client, definition: dict[str, Any], patience: float, **data: Any
) -> dict[str, Any]:
    """Run a workflow to its end."""
    made = http.post("/api/workflows", json={"name": "W", "definition": definition})
    assert made.status_code == 201, made.text
    path = f"/api/workflows/{made.json()['id']}/execute"
    started = http.post(path, json={"input_data": data})
    assert started.status_code == 202, started.text
    deadline = time.monotonic() + patience
    while True:
        answer = http.get(
            f"/api/workflows/executions/{started.json()['execution_id']}"
            "?fields=status,error,output_data,workflow_id"
        )
        assert answer.status_code == 200, answer.text
        seen: dict[str, Any] = answer.json()
        if seen["status"] in _FINAL:
            return seen
        assert time.monotonic() < deadline, f"never ended: {seen}"
        time.sleep(0.5)


@pytest.mark.hazard("H20")
def test_no_history_holds_input_data_or_a_secret(
    http: httpx.Client, cloud: RunningCloud, receiver: Receiver
) -> None:
    """H20: neither input, output nor a secret used by a step is in any machine's history."""
    put = http.put("/api/user/secrets/api_key", json={"value": SECRET})
    assert put.status_code == 200, put.text
    call = node(
        "call", "http", method="POST", url=receiver.url("/called"),
        headers={"x-api-key": "{{secrets.api_key}}"}, body={"text": "{{text}}"},
    )  # fmt: skip
    seen = run(http, chain(node("echo", output={"text": "{{text}}"}), call), 60, text=INPUT)
    assert seen["status"] == "completed", seen
    (called,) = receiver.wait("/called", 1)
    assert called.headers["x-api-key"] == SECRET
    assert json.loads(called.body) == {"text": INPUT}
    states = cloud.aws("stepfunctions")
    found = states.list_state_machines(maxResults=1000)["stateMachines"]
    machines = [one["stateMachineArn"] for one in found]
    (own,) = [arn for arn in machines if arn.endswith(seen["workflow_id"])]
    runs = [f"{own.replace(':stateMachine:', ':execution:')}:{seen['id']}"]
    for arn in machines:
        listed = states.list_executions(stateMachineArn=arn)["executions"]
        runs += [one["executionArn"] for one in listed]
        assert_clean(states.describe_state_machine(stateMachineArn=arn))
    for arn in runs:
        history = states.get_execution_history(executionArn=arn, maxResults=1000)
        assert history["events"]
        assert_clean(history)
        assert_clean(states.describe_execution(executionArn=arn))


def assert_clean(answer: Any) -> None:
    """Neither canary is in an answer of Step Functions."""
    text = str(answer)
    assert INPUT not in text
    assert SECRET not in text


def test_a_step_output_of_5_mb_works(http: httpx.Client) -> None:
    """Data lives in the ledger and the bucket, so Step Functions' 256 KB do not bind it."""
    text = "0123456789abcdef" * 32_768  # 512 KiB
    big = node("big", output={"text": "{{text}}" * 10})
    size = node(
        "check", "condition",
        condition={"left": "{{nodes.big.output.text}}", "op": "ends_with", "right": "abcdef"},
    )  # fmt: skip
    definition = chain(big, size)
    definition["edges"][-1] = {
        "id": "true", "source": "check", "target": "end", "sourceHandle": "true",
    }  # fmt: skip
    end = next(one for one in definition["nodes"] if one["id"] == "end")
    end["data"]["output"] = {"ok": "{{nodes.check.output.result}}"}
    definition["nodes"].append(node("no", output={"ok": False}))
    definition["edges"].append(
        {"id": "false", "source": "check", "target": "no", "sourceHandle": "false"}
    )
    seen = run(http, definition, 120, text=text)
    assert (seen["status"], seen["output_data"]) == ("completed", {"ok": True}), seen["error"]
    made = http.get(f"/api/workflows/executions?workflow_id={seen['workflow_id']}").json()
    whole = http.get(f"/api/workflows/executions/{made['executions'][0]['id']}?fields=steps")
    assert whole.status_code == 200
    (step,) = [one for one in whole.json()["steps"] if one["step_id"] == "big"]
    assert step["output"]["text"] == text * 10
    assert len(step["output"]["text"]) == 5 * 1024 * 1024


@pytest.mark.slow
def test_a_foreach_over_1000_items_works(http: httpx.Client) -> None:
    """E10: the loop runs as child executions, and every item's result is in its place."""
    inner = chain(node("double", output={"text": "item {{item}} at {{index}}"}))
    loop = node(
        "loop", "foreach", items="{{items}}", definition=inner, max_concurrency=40
    )  # fmt: skip
    definition = chain(loop)
    end = next(one for one in definition["nodes"] if one["id"] == "end")
    end["data"]["output"] = {
        "count": "{{nodes.loop.output.count}}", "results": "{{nodes.loop.output.results}}",
    }  # fmt: skip
    seen = run(http, definition, 800, items=[f"i{n}" for n in range(1000)])
    assert seen["status"] == "completed", seen
    output = seen["output_data"]
    assert output["count"] == 1000
    assert [one["text"] for one in output["results"]] == [
        f"item i{n} at {n}" for n in range(1000)
    ]  # fmt: skip
