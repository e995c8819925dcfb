"""Runs a state machine definition in this process: the part of the States Language that ours use.

Task (a function), Choice, Map (inline), Pass, Wait, Succeed, Fail, Retry, Catch by error name,
JSONata expressions of the forms ``$states.input.<path>``, ``$states.errorOutput.Error`` and
``<either> = true``. Anything else raises, so a definition cannot lean on what is not modelled.
Waiting is counted, not done.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

_EXPRESSION = re.compile(r"^\{% (?P<code>.*) %\}$", re.DOTALL)
_PATH = re.compile(r"^\$states\.(?P<root>input|errorOutput)(?P<path>(\.\w+)*)$")
_IS_TRUE = re.compile(r"^(?P<path>\$states\.input[.\w]*) = true$")
_TASK_FAILED = {"States.ALL", "States.TaskFailed"}
MAX_STATES = 100_000


class MachineFailed(Exception):
    """The execution ended in a Fail state, or with an error that nothing caught."""


@dataclass
class Machine:
    """One definition and the function behind its tasks.

    `run_task(arguments)` gives the task's result or raises; the error's name is its class name,
    as on Lambda.
    """

    definition: Mapping[str, Any]
    run_task: Callable[[dict[str, Any]], Any]
    entered: list[str] = field(default_factory=list)
    waited: float = 0.0
    largest: int = 0

    def execute(self, given: Any) -> Any:
        """The output of one execution. Raises MachineFailed."""
        return self._run(self.definition, given)

    def _run(self, machine: Mapping[str, Any], given: Any) -> Any:
        name = machine["StartAt"]
        while True:
            self._count(name, given)
            state = machine["States"][name]
            try:
                output, following = self._step(state, given)
            except Exception as error:
                output, following = self._caught(state, given, error)
            if following is None:
                return output
            name, given = following, output

    def _count(self, name: str, given: Any) -> None:
        self.entered.append(name)
        self.largest = max(self.largest, len(json.dumps(given)))
        if len(self.entered) > MAX_STATES:
            raise AssertionError("the machine does not end")

    def _step(self, state: Mapping[str, Any], given: Any) -> tuple[Any, str | None]:
        kind = state["Type"]
        if kind == "Choice":
            return given, self._chosen(state, given)
        if kind == "Succeed":
            return given, None
        if kind == "Fail":
            raise MachineFailed(f"{state['Error']}: {state['Cause']}")
        if kind == "Task":
            result = self._with_retry(state, given)
        elif kind == "Map":
            items = value(state["Items"], {"input": given})
            result = [self._run(state["ItemProcessor"], item) for item in items]
        elif kind == "Pass":
            result = given
        elif kind == "Wait":
            self.waited += float(value(state["Seconds"], {"input": given}))
            result = given
        else:
            raise NotImplementedError(kind)
        output = value(state["Output"], {"input": given}) if "Output" in state else result
        return output, None if state.get("End") else state["Next"]

    def _with_retry(self, state: Mapping[str, Any], given: Any) -> Any:
        arguments = value(state["Arguments"], {"input": given})
        used = [0] * len(state.get("Retry", []))
        while True:
            try:
                return self.run_task(arguments)
            except Exception as error:
                rule = self._retrier(state, error)
                if rule is None or used[rule] >= state["Retry"][rule].get("MaxAttempts", 3):
                    raise
                self.waited += self._pause(state["Retry"][rule], used[rule])
                used[rule] += 1

    @staticmethod
    def _pause(rule: Mapping[str, Any], attempt: int) -> float:
        pause = rule["IntervalSeconds"] * rule.get("BackoffRate", 2.0) ** attempt
        return float(min(pause, rule.get("MaxDelaySeconds", pause)))

    @staticmethod
    def _retrier(state: Mapping[str, Any], error: Exception) -> int | None:
        for number, rule in enumerate(state.get("Retry", [])):
            if {type(error).__name__, *_TASK_FAILED} & set(rule["ErrorEquals"]):
                return number
        return None

    def _caught(
        self, state: Mapping[str, Any], given: Any, error: Exception
    ) -> tuple[Any, str | None]:
        if isinstance(error, MachineFailed):
            raise error
        name = type(error).__name__
        for rule in state.get("Catch", []):
            if {name, *_TASK_FAILED} & set(rule["ErrorEquals"]):
                scope = {"input": given, "errorOutput": {"Error": name, "Cause": str(error)}}
                output = value(rule["Output"], scope) if "Output" in rule else scope["errorOutput"]
                return output, rule["Next"]
        raise MachineFailed(name) from error

    @staticmethod
    def _chosen(state: Mapping[str, Any], given: Any) -> str:
        for rule in state["Choices"]:
            if value(rule["Condition"], {"input": given}):
                return str(rule["Next"])
        return str(state["Default"])


def value(template: Any, scope: Mapping[str, Any]) -> Any:
    """A JSONata field with its expressions evaluated."""
    if isinstance(template, Mapping):
        return {name: value(item, scope) for name, item in template.items()}
    if isinstance(template, list):
        return [value(item, scope) for item in template]
    match = _EXPRESSION.match(template) if isinstance(template, str) else None
    return template if match is None else _evaluate(match.group("code"), scope)


def _evaluate(code: str, scope: Mapping[str, Any]) -> Any:
    compared = _IS_TRUE.match(code)
    if compared is not None:
        return _evaluate(compared.group("path"), scope) is True
    match = _PATH.match(code)
    if match is None:
        raise NotImplementedError(code)
    found = scope[match.group("root")]
    for name in match.group("path").split(".")[1:]:
        found = found[name]  # JSONata would give "undefined", and the execution would fail
    return found
