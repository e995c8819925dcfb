"""Step Functions: 256 KB limits, ASL checked on create, only known task tokens.

https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Mapping
from typing import Any

from moto.core.config import default_user_config
from statelint.linter import Linter

from tests.fakes.strict_aws.call import BaseRule, Call

MAX_DATA = 262_144
MAX_DEFINITION = 1_048_576
MAX_CAUSE, MAX_ERROR = 32_768, 256
# The service refuses white space, brackets, wildcards, control and some special characters.
_BAD_NAME = re.compile(r"[\s<>{}\[\]?*\"#%\\^|~`$&,;:/\x00-\x1f\x7f-\x9f]")


@functools.lru_cache(maxsize=512)
def lint(definition: str) -> tuple[str, ...]:
    """Problems of a state machine definition in Amazon States Language; empty is good."""
    try:
        document = json.loads(definition)
    except ValueError as error:
        return (f"not JSON: {error}",)
    if not isinstance(document, dict):
        return ("not an object",)
    return tuple(Linter.validate(_with_plain_waits(document)))


def _with_plain_waits(value: Any) -> Any:
    """The document with JSONata in Wait states put as literals.

    The language allows it (https://states-language.net/#wait-state); statelint 3.1 does not know.
    """
    if isinstance(value, list):
        return [_with_plain_waits(item) for item in value]
    if not isinstance(value, dict):
        return value
    copy = {key: _with_plain_waits(item) for key, item in value.items()}
    if copy.get("Type") == "Wait":
        for field, literal in (("Seconds", 1), ("Timestamp", "2026-01-01T00:00:00Z")):
            if isinstance(copy.get(field), str) and copy[field].startswith("{%"):
                copy[field] = literal
    return copy


def executes_machines() -> bool:
    """Whether moto runs state machines in this process (then it knows its tokens)."""
    return bool(default_user_config["stepfunctions"]["execute_state_machine"])


class StepFunctions(BaseRule):
    """Refuses what the service refuses and moto lets pass."""

    def __init__(self) -> None:
        self._open: set[str] = set()
        self._answered: dict[str, tuple[str, Mapping[str, Any]]] = {}

    def open_token(self, *tokens: str) -> None:
        """Declares task tokens as waiting (needed when moto does not run the machine)."""
        self._open.update(tokens)

    def expire_token(self, *tokens: str) -> None:
        """The tasks behind these tokens timed out or were stopped."""
        self._open.difference_update(tokens)
        self._answered.update({token: ("expired", {}) for token in tokens})

    def answer(self, token: str) -> tuple[str, Mapping[str, Any]] | None:
        """Operation and parameters that settled a token, or None while it waits."""
        return self._answered.get(token)

    def before(self, call: Call) -> Mapping[str, Any] | None:
        """Checks sizes, definitions, names and tokens."""
        if call.service != "stepfunctions":
            return None
        params = call.params
        for name in ("input", "output"):
            self._limit(call, name, MAX_DATA)
        self._limit(call, "cause", MAX_CAUSE)
        self._limit(call, "error", MAX_ERROR)
        if call.operation in ("StartExecution", "StartSyncExecution"):
            self._json(call, "input", "InvalidExecutionInput")
            self._name(call)
        elif call.operation == "CreateStateMachine":
            self._name(call)
            self._definition(call)
        elif call.operation == "UpdateStateMachine" and "definition" in params:
            self._definition(call)
        elif call.operation == "ValidateStateMachineDefinition":
            problems = lint(str(params.get("definition", "")))
            return {
                "result": "FAIL" if problems else "OK",
                "diagnostics": [
                    {"severity": "ERROR", "code": "SCHEMA_VALIDATION_FAILED", "message": text}
                    for text in problems
                ],
                "truncated": False,
            }
        elif call.operation in ("SendTaskSuccess", "SendTaskFailure", "SendTaskHeartbeat"):
            if call.operation == "SendTaskSuccess":
                self._json(call, "output", "InvalidOutput")
            self._token(call)
        return None

    def after(self, call: Call, response: Any) -> None:
        """A settled token is spent."""
        if call.is_("stepfunctions", "SendTaskSuccess", "SendTaskFailure"):
            token = str(call.params["taskToken"])
            self._open.discard(token)
            self._answered[token] = (call.operation, dict(call.params))

    def _limit(self, call: Call, name: str, limit: int) -> None:
        value = call.params.get(name)
        if isinstance(value, str) and len(value.encode("utf-8", "surrogatepass")) > limit:
            raise call.validation_error(
                f"1 validation error detected: Value at '{name}' failed to satisfy constraint: "
                f"Member must have length less than or equal to {limit}"
            )

    def _json(self, call: Call, name: str, code: str) -> None:
        value = call.params.get(name)
        if isinstance(value, str):
            try:
                json.loads(value)
            except ValueError as error:
                raise call.error(code, f"Invalid {name}: {error}") from error

    def _name(self, call: Call) -> None:
        name = call.params.get("name")
        if isinstance(name, str) and (not 1 <= len(name) <= 80 or _BAD_NAME.search(name)):
            raise call.error("InvalidName", f"Invalid Name: '{name}'")

    def _definition(self, call: Call) -> None:
        definition = call.params.get("definition")
        if not isinstance(definition, str):
            return
        if not 1 <= len(definition.encode()) <= MAX_DEFINITION:
            raise call.validation_error("The definition exceeds 1 MB or is empty")
        problems = lint(definition)
        if problems:
            message = f"Invalid State Machine Definition: '{'; '.join(problems)}'"
            raise call.error("InvalidDefinition", message)

    def _token(self, call: Call) -> None:
        token = call.params.get("taskToken")
        if not isinstance(token, str) or token in self._open:
            return
        if token in self._answered:
            message = "Task Timed Out: 'Provided task does not exist anymore'"
            raise call.error("TaskTimedOut", message)
        if executes_machines():
            return  # moto's interpreter knows its own tokens
        raise call.error("InvalidToken", "Invalid Token: 'Invalid token'")
