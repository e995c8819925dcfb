"""`python -m tests.benchmarks.steps`: time per step of a compiled chain, on a local cloud.

The reference is a hand-written state machine of as many Lambda tasks on the same cloud and the same
runtime, whose function answers at once: what Step Functions and Lambda cost by themselves.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
from tidegate_kit.ids import new_id

from infra.local import cloud as local
from infra.local import processes
from infra.local.aws import client
from infra.local.config import LocalCloud
from tests.builders.workflows import chain, node

STEPS = 20
ROUNDS = 9
_PATIENCE = 120.0


@dataclass(frozen=True)
class StepTimes:
    """Milliseconds per step, medians over the rounds."""

    compiled: float
    handwritten: float

    @property
    def ratio(self) -> float:
        """Ours as a multiple of the hand-written machine's."""
        return self.compiled / self.handwritten


def measure(config: LocalCloud, rounds: int = ROUNDS) -> StepTimes:
    """Run both machines by turns on a cloud that is up."""
    states: Any = client(config, "stepfunctions")
    with httpx.Client(base_url=config.api_url, timeout=60) as http:
        sign_in(http)
        ours = compiled(http, states)
        theirs = handwritten(config, states)
        for run in (ours, theirs):
            run()  # machines published, functions warm
        pairs = [(ours(), theirs()) for _ in range(rounds)]
    return StepTimes(*(statistics.median(column) / STEPS for column in zip(*pairs, strict=True)))


def sign_in(http: httpx.Client) -> None:
    """A new owner."""
    email, password = f"{new_id()}@example.com", f"pw-{new_id()}"
    person = {"first_name": "Ada", "last_name": "Example", "company": "Example"}
    given = {"email": email, "password": password}
    http.post("/api/auth/register", json={**given, **person}).raise_for_status()
    token = http.post("/api/auth/login", json=given).raise_for_status().json()["access_token"]
    http.headers["Authorization"] = f"Bearer {token}"


def compiled(http: httpx.Client, states: Any) -> Callable[[], float]:
    """Runs a chain of transforms; milliseconds of its machine."""
    row = [node(f"n{number}", output={"n": number}) for number in range(STEPS)]
    body = {"name": "W", "definition": chain(*row)}
    workflow = http.post("/api/workflows", json=body).raise_for_status().json()["id"]

    def run() -> float:
        path = f"/api/workflows/{workflow}/execute"
        execution = http.post(path, json={}).raise_for_status().json()["execution_id"]
        machines = states.list_state_machines(maxResults=1000)["stateMachines"]
        while not (found := [m for m in machines if m["name"].endswith(workflow)]):
            machines = states.list_state_machines(maxResults=1000)["stateMachines"]
        arn = found[0]["stateMachineArn"].replace(":stateMachine:", ":execution:")
        return duration(states, f"{arn}:{execution}")

    return run


def handwritten(config: LocalCloud, states: Any) -> Callable[[], float]:
    """Runs a machine of plain Lambda tasks; milliseconds of it."""
    functions = client(config, "lambda").list_functions(MaxItems=1000)["Functions"]
    function = next(f for f in functions if "RealtimeDisconnect" in f["FunctionName"])
    definition = {
        "QueryLanguage": "JSONata",
        "StartAt": "S0",
        "States": {
            f"S{number}": {
                "Type": "Task",
                "Resource": function["FunctionArn"],
                "Arguments": {"tidegate_ping": True},
                "Output": {},
                **({"Next": f"S{number + 1}"} if number + 1 < STEPS else {"End": True}),
            }
            for number in range(STEPS)
        },
    }
    known = states.list_state_machines(maxResults=1000)["stateMachines"][0]
    role = states.describe_state_machine(stateMachineArn=known["stateMachineArn"])["roleArn"]
    arn = states.create_state_machine(
        name=f"handwritten-{new_id()}", definition=json.dumps(definition), roleArn=role
    )["stateMachineArn"]
    return lambda: duration(
        states, states.start_execution(stateMachineArn=arn, name=new_id())["executionArn"]
    )


def duration(states: Any, execution_arn: str) -> float:
    """Milliseconds from start to stop as Step Functions tells them."""
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        try:
            seen = states.describe_execution(executionArn=execution_arn)
        except states.exceptions.ExecutionDoesNotExist:
            seen = {"status": "RUNNING"}  # the stream has not started it yet
        if seen["status"] == "SUCCEEDED":
            return float((seen["stopDate"] - seen["startDate"]).total_seconds() * 1000)
        if seen["status"] != "RUNNING":
            raise RuntimeError(f"{execution_arn} ended as {seen['status']}")
        time.sleep(0.1)
    raise RuntimeError(f"{execution_arn} did not end")


def main() -> None:
    """Bring a cloud up, measure, print, take it down."""
    with tempfile.TemporaryDirectory() as home:
        config = replace(LocalCloud(), home=Path(home), stack_name="tidegate-bench").with_ports(
            processes.free_port(), processes.free_port()
        )
        try:
            local.up(config)
            times = measure(config)
        finally:
            local.down(config)
    sys.stdout.write(
        f"time per step, compiled / hand-written: {times.ratio:.2f} "
        f"({times.compiled:.1f} / {times.handwritten:.1f} ms)\n"
    )


if __name__ == "__main__":
    main()
