"""The state templates. Every Lambda task has Retry, Catch and a time-out (E20).

No text of users gets into a machine: only node ids, numbers and route tokens. What a state hands
on is a route, a count or an id; the data stays in the step ledger.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any, Final

from tidegate.workflows.interpreter.rules import MAX_RETRY_DELAY_SECONDS
from tidegate.workflows.nodes.base import RetryPolicy
from tidegate.workflows.nodes.delay import instant

State = dict[str, Any]

# Error names the step Lambda raises; the name of a Python exception is its class name.
RETRYABLE_ERROR: Final = "StepRetryable"
FAILED_ERROR: Final = "StepFailed"

# Faults of Lambda itself, a runtime that died among them: tried again whatever the node says, and
# no try of the node (WF-6). Effects are journalled, so a repetition finds what has happened (E18).
_PLATFORM_RETRY: Final[dict[str, Any]] = {
    "ErrorEquals": [
        "Lambda.ClientExecutionTimeoutException",
        "Lambda.ServiceException",
        "Lambda.AWSLambdaException",
        "Lambda.SdkClientException",
        "Lambda.TooManyRequestsException",
        "Lambda.Unknown",
        "Runtime.ExitError",
    ],
    "IntervalSeconds": 1,
    "MaxAttempts": 6,
    "BackoffRate": 2.0,
    "JitterStrategy": "FULL",
}
_PLATFORM_ONLY: Final = [_PLATFORM_RETRY]
_CALL_SECONDS: Final = 300

_EXECUTION: Final = "{% $states.context.Execution.Input.execution_id %}"
_TENANT: Final = "{% $states.context.Execution.Input.tenant_id %}"
_TOKEN: Final = "{% $states.context.Task.Token %}"  # noqa: S105 - where it comes from
_ROUTE: Final = "{% $states.result.Payload.route %}"
_ERROR_NAME: Final = "{% $states.errorOutput.Error %}"


@dataclass(frozen=True, slots=True)
class Target:
    """Where the step Lambda is."""

    function_arn: str
    partition: str

    @property
    def invoke(self) -> str:
        """Calls a function."""
        return f"arn:{self.partition}:states:::lambda:invoke"

    @property
    def invoke_and_wait(self) -> str:
        """Calls a function and waits for its task token."""
        return f"arn:{self.partition}:states:::lambda:invoke.waitForTaskToken"

    @property
    def start_execution(self) -> str:
        """Runs a machine and waits for its end."""
        return f"arn:{self.partition}:states:::states:startExecution.sync:2"


def retriers(policy: RetryPolicy, *, timeouts: bool = True) -> list[dict[str, Any]]:
    """The node's own retries, then the platform's. `timeouts`: a time-out may be tried again."""
    if policy.max_attempts == 1:
        return _PLATFORM_ONLY
    names = [RETRYABLE_ERROR]
    if timeouts:
        names += ["States.Timeout", "Sandbox.Timedout"]
    own = {
        "ErrorEquals": names,
        "IntervalSeconds": math.ceil(policy.interval_seconds),
        "MaxAttempts": policy.max_attempts - 1,
        "BackoffRate": float(policy.backoff_rate),
        "MaxDelaySeconds": MAX_RETRY_DELAY_SECONDS,
        "JitterStrategy": "FULL" if policy.jitter == "full" else "NONE",
    }
    return [own, _PLATFORM_RETRY]


def call(
    target: Target,
    step_id: str,
    action: str,
    *,
    catch: str,
    after: str | None,
    seconds: int = _CALL_SECONDS,
    retry: list[dict[str, Any]] = _PLATFORM_ONLY,
    output: Mapping[str, str] | None = None,
    extra: Mapping[str, str] | None = None,
) -> State:
    """A call of the step Lambda, about a step or (empty) the execution. `catch` takes failures."""
    payload = {"tenant_id": _TENANT, "execution_id": _EXECUTION, "action": action}
    if step_id:
        payload["step_id"] = step_id
    if extra:
        payload.update(extra)
    state: State = {
        "Type": "Task",
        "Resource": target.invoke,
        "Arguments": {"FunctionName": target.function_arn, "Payload": payload},
        "Output": {"route": _ROUTE, **output} if output else {"route": _ROUTE},
        "TimeoutSeconds": seconds,
        "Retry": retry,
        "Catch": [catcher(catch, step_id)],
    }
    if after is None:
        state["End"] = True
    else:
        state["Next"] = after
    return state


def call_and_wait(
    target: Target,
    step_id: str,
    action: str,
    *,
    catch: str,
    after: str | None,
    seconds: int,
    retry: list[dict[str, Any]] = _PLATFORM_ONLY,
    extra: Mapping[str, str] | None = None,
) -> State:
    """A call of the step Lambda that ends when its task token is answered with {route}."""
    state = call(
        target,
        step_id,
        action,
        catch=catch,
        after=after,
        seconds=seconds,
        retry=retry,
        extra={"task_token": _TOKEN, **(extra or {})},
    )
    state["Resource"] = target.invoke_and_wait
    state["Output"] = {"route": "{% $states.result.route %}"}
    return state


def catcher(following: str, step_id: str) -> dict[str, Any]:
    """Any error goes to `following`, which learns the step and the error's name, no cause."""
    output = {"step_id": step_id, "error": _ERROR_NAME}
    return {"ErrorEquals": ["States.ALL"], "Output": output, "Next": following}


def failure_call(target: Target, step_id: str, *, catch: str, after: str) -> State:
    """The call that records a step's final failure; it answers the error route."""
    state = call(
        target,
        step_id,
        "fail",
        catch=catch,
        after=after,
        extra={"error": "{% $states.input.error %}"},
    )
    # Nothing is left to record when this fails as well.
    state["Catch"] = [{"ErrorEquals": ["States.ALL"], "Output": {}, "Next": catch}]
    return state


def child_execution(target: Target, step_id: str, *, catch: str, after: str, seconds: int) -> State:
    """Starts the machine that the step Lambda named, and waits for its end."""
    return {
        "Type": "Task",
        "Resource": target.start_execution,
        "Arguments": {
            "StateMachineArn": "{% $states.input.machine %}",
            "Name": "{% $states.input.name %}",
            "Input": {
                "tenant_id": _TENANT,
                "execution_id": "{% $states.input.child %}",
                "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID": "{% $states.context.Execution.Id %}",
            },
        },
        "Output": {},
        "TimeoutSeconds": seconds,
        "Retry": [
            {
                "ErrorEquals": ["StepFunctions.ThrottlingException"],
                "IntervalSeconds": 2,
                "MaxAttempts": 5,
                "BackoffRate": 2.0,
                "JitterStrategy": "FULL",
            }
        ],
        "Catch": [catcher(catch, step_id)],
        "Next": after,
    }


def wait(data: Mapping[str, Any], after: str) -> State:
    """Waits as a delay's data says, or until the instant that the step Lambda answered."""
    how: dict[str, Any] = {"Timestamp": "{% $states.input.until %}"}
    seconds, until = data.get("seconds"), data.get("until")
    if isinstance(seconds, int):
        how = {"Seconds": seconds}
    elif isinstance(until, str) and (moment := instant(until)) is not None:
        how = {"Timestamp": moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}
    return {"Type": "Wait", **how, "Output": {}, "Next": after}


def choice(rules: Sequence[tuple[str, str]], default: str) -> State:
    """(condition, next) rules on the state's input. The output stays the input."""
    return {
        "Type": "Choice",
        "Choices": [
            {"Condition": f"{{% {condition} %}}", "Next": following}
            for condition, following in rules
        ],
        "Default": default,
    }


def parallel(branches: Sequence[dict[str, Any]], after: str | None) -> State:
    """Branches side by side."""
    return {"Type": "Parallel", "Branches": list(branches), "Output": {}, **onward(after)}


def onward(after: str | None) -> dict[str, Any]:
    """Next, or End where nothing follows in this level of states."""
    return {"End": True} if after is None else {"Next": after}
