"""State machines of the platform's account: publish, start, stop, answer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError
from tidegate_kit.errors import ServiceUnavailable

_NOT_RUNNING = frozenset({"ExecutionDoesNotExist", "ValidationException"})
# A token whose state has gone on, or has ended with its execution.
_ANSWERED = frozenset({"TaskTimedOut", "TaskDoesNotExist", "InvalidToken"})


@dataclass(frozen=True)
class MachineRun:
    """How an execution of a state machine stands: RUNNING, SUCCEEDED, FAILED, ..."""

    status: str


class Machines(Protocol):
    """Step Functions, as far as workflows need it."""

    def publish(self, name: str, definition: Mapping[str, Any]) -> str:
        """Make or change a machine and publish it; gives the ARN of the version."""

    def start(self, version_arn: str, name: str, data: Mapping[str, Any]) -> str:
        """Start an execution; the same name again is the same execution. Gives its ARN."""

    def stop(self, execution_arn: str, error: str) -> None:
        """Stop an execution; one that has ended is left alone."""

    def run(self, execution_arn: str) -> MachineRun | None:
        """How an execution stands; None when there is none."""

    def delete(self, name: str) -> None:
        """Delete a machine; what runs on it goes on to its end."""

    def succeed(self, token: str, data: Mapping[str, Any]) -> bool:
        """Answer a task token; False when nothing waits for it any more."""

    def fail(self, token: str, error: str) -> bool:
        """Fail a task token; False when nothing waits for it any more."""


class StepFunctions:
    """Machines on AWS. `client` is a boto3 stepfunctions client."""

    def __init__(self, client: Any, role_arn: str, arn_prefix: str) -> None:
        """`arn_prefix`: the ARN of a machine up to its name."""
        self._client = client
        self._role_arn = role_arn
        self._arn_prefix = arn_prefix

    def publish(self, name: str, definition: Mapping[str, Any]) -> str:
        text = json.dumps(definition, separators=(",", ":"))
        try:
            made = self._client.create_state_machine(
                name=name, definition=text, roleArn=self._role_arn, type="STANDARD", publish=True
            )
        except ClientError as error:
            if _code(error) not in {"StateMachineAlreadyExists", "ConflictException"}:
                raise ServiceUnavailable(log=f"states: {error}") from error
            return self._update(name, text)
        except BotoCoreError as error:
            raise ServiceUnavailable(log=f"states: {error}") from error
        return str(made["stateMachineVersionArn"])

    def _update(self, name: str, text: str) -> str:
        answer = self._call(
            "update_state_machine",
            stateMachineArn=f"{self._arn_prefix}{name}",
            definition=text,
            roleArn=self._role_arn,
            publish=True,
        )
        return str(answer["stateMachineVersionArn"])

    def start(self, version_arn: str, name: str, data: Mapping[str, Any]) -> str:
        try:
            answer = self._client.start_execution(
                stateMachineArn=version_arn, name=name, input=json.dumps(data)
            )
        except ClientError as error:
            if _code(error) != "ExecutionAlreadyExists":
                raise ServiceUnavailable(log=f"states: {error}") from error
            return execution_arn(version_arn, name)
        except BotoCoreError as error:
            raise ServiceUnavailable(log=f"states: {error}") from error
        return str(answer["executionArn"])

    def stop(self, execution_arn: str, error: str) -> None:
        try:
            self._client.stop_execution(executionArn=execution_arn, error=error)
        except ClientError as problem:
            if _code(problem) not in _NOT_RUNNING:
                raise ServiceUnavailable(log=f"states: {problem}") from problem
        except BotoCoreError as problem:
            raise ServiceUnavailable(log=f"states: {problem}") from problem

    def run(self, execution_arn: str) -> MachineRun | None:
        try:
            answer = self._client.describe_execution(executionArn=execution_arn)
        except ClientError as error:
            if _code(error) == "ExecutionDoesNotExist":
                return None
            raise ServiceUnavailable(log=f"states: {error}") from error
        except BotoCoreError as error:
            raise ServiceUnavailable(log=f"states: {error}") from error
        return MachineRun(str(answer["status"]))

    def delete(self, name: str) -> None:
        self._call("delete_state_machine", stateMachineArn=f"{self._arn_prefix}{name}")

    def succeed(self, token: str, data: Mapping[str, Any]) -> bool:
        return self._answer("send_task_success", taskToken=token, output=json.dumps(data))

    def fail(self, token: str, error: str) -> bool:
        return self._answer("send_task_failure", taskToken=token, error=error)

    def _answer(self, operation: str, **arguments: Any) -> bool:
        try:
            getattr(self._client, operation)(**arguments)
        except ClientError as error:
            if _code(error) in _ANSWERED:
                return False
            # The message of the service may quote the token, so only its code is logged (E28).
            raise ServiceUnavailable(log=f"states: {operation}: {_code(error)}") from None
        except BotoCoreError as error:
            raise ServiceUnavailable(log=f"states: {operation}: {type(error).__name__}") from None
        return True

    def _call(self, operation: str, **arguments: Any) -> Any:
        try:
            return getattr(self._client, operation)(**arguments)
        except (ClientError, BotoCoreError) as error:
            raise ServiceUnavailable(log=f"states: {error}") from error


def execution_arn(version_arn: str, name: str) -> str:
    """The ARN that an execution of a machine's version has, or will have."""
    # arn:aws:states:<region>:<account>:stateMachine:<machine>:<version>
    parts = version_arn.split(":")
    return ":".join([*parts[:5], "execution", parts[6], name])


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
