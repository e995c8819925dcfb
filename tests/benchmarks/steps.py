"""`python -m tests.benchmarks.steps`: time per step of a compiled chain, on a local cloud.

Two references on the same cloud, both hand-written machines of one Lambda task per step: one calls
the same step function for the same steps (what the compiler adds), the other a function that
answers at once (what Step Functions and Lambda cost by themselves).
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
_OWN = {"tenant_id": "{% $states.context.Execution.Input.tenant_id %}",
        "execution_id": "{% $states.context.Execution.Input.execution_id %}"}  # fmt: skip

Run = Callable[[], float]


@dataclass(frozen=True)
class StepTimes:
    """Milliseconds per step, medians over the rounds."""

    compiled: float
    same_lambda: float
    empty_lambda: float

    def __str__(self) -> str:
        """Both ratios, and what is behind them."""
        return (
            f"time per step, compiled / hand-written with the same Lambda: "
            f"{self.compiled / self.same_lambda:.2f} "
            f"({self.compiled:.1f} / {self.same_lambda:.1f} ms)\n"
            f"time per step, compiled / hand-written with an empty Lambda: "
            f"{self.compiled / self.empty_lambda:.2f} "
            f"({self.compiled:.1f} / {self.empty_lambda:.1f} ms)\n"
        )


def measure(config: LocalCloud, rounds: int = ROUNDS) -> StepTimes:
    """Run the machines by turns on a cloud that is up."""
    with httpx.Client(base_url=config.api_url, timeout=60) as http:
        sign_in(http)
        bench = Bench(config, http)
        runs: list[Run] = [bench.compiled, bench.same_lambda(), bench.empty_lambda()]
        for run in runs:
            run()  # machines published, functions warm
        times = [[run() for run in runs] for _ in range(rounds)]
    return StepTimes(*(statistics.median(each) / STEPS for each in zip(*times, strict=True)))


def sign_in(http: httpx.Client) -> None:
    """A new owner."""
    email, password = f"{new_id()}@example.com", f"pw-{new_id()}"
    person = {"first_name": "Ada", "last_name": "Example", "company": "Example"}
    given = {"email": email, "password": password}
    http.post("/api/auth/register", json={**given, **person}).raise_for_status()
    token = http.post("/api/auth/login", json=given).raise_for_status().json()["access_token"]
    http.headers["Authorization"] = f"Bearer {token}"


class Bench:
    """The three machines."""

    def __init__(self, config: LocalCloud, http: httpx.Client) -> None:
        self._http = http
        self._states: Any = client(config, "stepfunctions")
        self._store: Any = client(config, "dynamodb")
        self._functions: list[dict[str, Any]] = client(config, "lambda").list_functions(
            MaxItems=1000
        )["Functions"]
        self._tenant = http.get("/api/auth/me").raise_for_status().json()["tenant_id"]
        row = [node(f"n{number}", output={"n": number}) for number in range(STEPS)]
        body = {"name": "W", "definition": chain(*row)}
        made = http.post("/api/workflows", json=body).raise_for_status().json()
        self._workflow = str(made["id"])
        self._last = ""

    def compiled(self) -> float:
        """The compiled chain; milliseconds of its machine."""
        path = f"/api/workflows/{self._workflow}/execute"
        answer = self._http.post(path, json={}).raise_for_status().json()
        self._last = str(answer["execution_id"])
        return duration(self._states, f"{self._machine_arn()}:{self._last}")

    def _machine_arn(self) -> str:
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            for one in self._states.list_state_machines(maxResults=1000)["stateMachines"]:
                if one["name"].endswith(self._workflow):
                    return str(one["stateMachineArn"]).replace(":stateMachine:", ":execution:")
            time.sleep(0.1)  # the stream publishes it
        raise RuntimeError("the workflow's machine was not published")

    def same_lambda(self) -> Run:
        """The step function, called for the same steps by a plain chain of tasks."""
        steps = ["start", *(f"n{number}" for number in range(STEPS)), "end"]
        calls = [{**_OWN, "action": "run", "step_id": step} for step in steps]
        arn = self._create("workflow-step", [*calls, {**_OWN, "action": "finish"}])

        def run() -> float:
            given = {"tenant_id": self._tenant, "execution_id": self._twin()}
            return self._run(arn, given)

        return run

    def empty_lambda(self) -> Run:
        """A function that answers at once."""
        arn = self._create("RealtimeDisconnect", [{"tidegate_ping": True}] * STEPS)
        return lambda: self._run(arn, {})

    def _twin(self) -> str:
        """An execution like the last one, whose machine is taken for started."""
        table = next(t for t in self._store.list_tables()["TableNames"] if t.endswith("-workflows"))
        tenant, made = f"T#{self._tenant}", new_id()

        def rows(partition: str) -> list[dict[str, Any]]:
            found: list[dict[str, Any]] = self._store.query(
                TableName=table, KeyConditionExpression="pk = :pk", ConsistentRead=True,
                ExpressionAttributeValues={":pk": {"S": partition}},
            )["Items"]  # fmt: skip
            return found

        for row in (*rows(tenant), *rows(f"{tenant}#X")):
            if not row["sk"]["S"].endswith(self._last):
                continue
            for name in ("completed_at", "output", "launched_at"):
                row.pop(name, None)
            text = json.dumps(row).replace(self._last, made)
            self._store.put_item(
                TableName=table, Item={**json.loads(text), "status": {"S": "running"}}
            )
        return made

    def _create(self, function: str, calls: list[dict[str, Any]]) -> str:
        arn = next(f["FunctionArn"] for f in self._functions if function in f["FunctionName"])
        states = {
            f"S{number}": {
                "Type": "Task",
                "Resource": arn,
                "Arguments": call,
                "Output": {},
                **({"Next": f"S{number + 1}"} if number + 1 < len(calls) else {"End": True}),
            }
            for number, call in enumerate(calls)
        }
        definition = {"QueryLanguage": "JSONata", "StartAt": "S0", "States": states}
        known = self._states.list_state_machines(maxResults=1000)["stateMachines"][0]
        role = self._states.describe_state_machine(stateMachineArn=known["stateMachineArn"])
        made = self._states.create_state_machine(
            name=f"handwritten-{new_id()}", definition=json.dumps(definition),
            roleArn=role["roleArn"],
        )  # fmt: skip
        return str(made["stateMachineArn"])

    def _run(self, machine_arn: str, given: dict[str, Any]) -> float:
        started = self._states.start_execution(
            stateMachineArn=machine_arn, name=new_id(), input=json.dumps(given)
        )
        return duration(self._states, started["executionArn"])


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
    sys.stdout.write(str(times))


if __name__ == "__main__":
    main()
