"""Compiled machines in moto's interpreter of Amazon States Language, which is not ours.

Real threads and real task tokens: the order of things is whatever the scheduler makes it, so times
are not compared. Retries do not sleep (the sleep is replaced); JSONata runs in jsonata-python,
because moto leaves its own engine out.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import jsonata
import pytest
from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl
from moto.stepfunctions.parser.asl.component.state.wait.wait_function import wait_function
from moto.stepfunctions.parser.asl.jsonata import jsonata as moto_jsonata
from moto.stepfunctions.parser.utils import TMP_THREADS
from tidegate.workflows.compiler import CompileOptions, compile_definition
from tidegate.workflows.interpreter import Attempt, Run, Visit, interpret
from tidegate.workflows.nodes import Done

from tests.fakes.asl_walker import AslError
from tests.fakes.strict_aws.layer import StrictAws
from tests.fakes.workflow_ledger import LedgerLambda
from tests.unit.workflows.graphs import behaviour, random_definition
from tests.unit.workflows.harness import IDS, valid

LONG = os.environ.get("LONG") == "1"
GRAPHS = 500 if LONG else 60
BATCH = 10
FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:step"
MACHINE_SECONDS = 60


def evaluate(expression: str) -> Any:
    """A JSONata expression with its bindings written out, as moto hands them over."""
    try:
        return json.loads(json.dumps(jsonata.Jsonata(expression).evaluate(None)))
    except Exception as error:
        raise moto_jsonata.JSONataException("UNKNOWN", str(error)) from error


class NoSleep:
    """Takes the place of the time module where retries sleep."""

    @staticmethod
    def sleep(seconds: float) -> None:
        """Goes on at once."""


@pytest.fixture
def machines(executing_aws: StrictAws, monkeypatch: pytest.MonkeyPatch) -> StrictAws:
    """A double that runs machines without sleeping."""
    monkeypatch.setattr(moto_jsonata, "_eval_jsonata", evaluate)
    monkeypatch.setattr(retrier_decl, "time", NoSleep)
    monkeypatch.setattr(wait_function.WaitFunction, "_wait_interval", lambda *_, **__: None)
    return executing_aws


class Errors:
    """Exceptions by the names that the step Lambda's are to have."""

    StepRetryable = type("StepRetryable", (Exception,), {})
    StepFailed = type("StepFailed", (Exception,), {})


def lambda_of(ledger: LedgerLambda) -> Any:
    """The ledger as a Lambda handler: work takes no time; one call at a time."""
    lock = threading.RLock()

    def handler(event: dict[str, Any], _: Any) -> Any:
        with lock:
            try:
                return ledger.invoke(event, 0.0).finish()
            except AslError as error:
                raise getattr(Errors, error.name)() from error

    return handler


def same(run: Run, ledger: LedgerLambda, status: str) -> list[str]:
    """Differences between a reference run and what moto did."""
    if run.status != "completed":
        # What else had ended when the run failed depends on the clock; that it failed does not.
        return [] if status == "FAILED" else [f"ended {status}"]
    problems = [] if status == "SUCCEEDED" else [f"ended {status}"]
    done = {
        record.step_id: (record.status.value, record.attempts, record.output)
        for record in ledger.records.values()
    }
    wanted = {step.step_id: (step.status.value, step.attempts, step.output) for step in run.steps}
    lost = tuple(_ended_early(run))
    problems += [
        key
        for key in wanted.keys() | done.keys()
        if not key.startswith(lost) and wanted.get(key) != done.get(key)
    ]
    return problems if ledger.output == run.output else [*problems, "output"]


def _ended_early(run: Run) -> Iterator[str]:
    """Prefixes of the step ids of loops and items that a failure cut short.

    What else had ended in them by then depends on the clock as well.
    """
    for step in run.steps:
        if step.type == "foreach" and step.status == "failed":
            yield f"{step.step_id}["
        elif step.type == "foreach" and step.output is not None:
            for error in step.output["errors"]:
                yield f"{step.step_id}[{error['index']}]."


def execute_machine(client: Any, role: str, name: str, machine: dict[str, Any]) -> str:
    """Run a machine to its end; gives the status."""
    arn = client.create_state_machine(name=name, definition=json.dumps(machine), roleArn=role)
    started = client.start_execution(
        stateMachineArn=arn["stateMachineArn"], input=json.dumps(IDS), name=name
    )
    TMP_THREADS[-1].join(MACHINE_SECONDS)
    return str(client.describe_execution(executionArn=started["executionArn"])["status"])


def at_once(execute: Callable[[Visit], Attempt]) -> Callable[[Visit], Attempt]:
    """The same behaviour in no time, without what depends on the clock.

    Which unrelated nodes have ended already is visible to a step, though validation lets it mention
    ancestors alone.
    """

    def tried(visit: Visit) -> Attempt:
        result = execute(visit).result
        if isinstance(result, Done):
            output = {key: value for key, value in result.output.items() if key != "seen"}
            return Attempt(Done(output, result.route))
        return Attempt(result)

    return tried


def starts_children(raw: dict[str, Any]) -> bool:
    """True for child machines, which the ledger double cannot start here."""
    return any(node["type"] == "subworkflow" for node in raw["nodes"]) or any(
        starts_children(node["data"]["definition"])
        for node in raw["nodes"]
        if node["type"] == "foreach"
    )


@pytest.mark.parametrize("batch", range(GRAPHS // BATCH))
def test_moto_agrees(machines: StrictAws, batch: int) -> None:
    """Same steps run, skipped and failed, same tries, same outputs."""
    client = boto3.client("stepfunctions", region_name="us-east-1")
    role = boto3.client("iam").create_role(RoleName="machines", AssumeRolePolicyDocument="{}")
    seed, ran = batch * 1000, 0
    while ran < BATCH:
        seed += 1
        raw = random_definition(seed, 3 + seed % 10)
        if starts_children(raw):
            continue
        execute = at_once(behaviour(seed))
        definition = valid(raw)
        run = interpret(definition, {}, execute)
        # What a failed run leaves running must not reach the next graph's ledger.
        options = CompileOptions(function_arn=f"{FUNCTION}{seed}")
        compiled = compile_definition(definition, options)
        ledger = LedgerLambda(definition, compiled, execute)
        ledger.answer = lambda token, output: client.send_task_success(
            taskToken=token, output=json.dumps(output)
        )
        ledger.fail_token = lambda token, error: client.send_task_failure(
            taskToken=token, error=error, cause=""
        )
        ledger.later = lambda seconds, action: threading.Timer(0.0, action).start()
        machines.register_function(f"step{seed}", lambda_of(ledger))
        status = execute_machine(client, role["Role"]["Arn"], f"m{seed}", compiled.machine)
        assert same(run, ledger, status) == [], seed
        ran += 1
