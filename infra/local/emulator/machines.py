"""Published versions of state machines.

MiniStack runs the newest definition whatever version an execution was started on, and knows no
version at all in a nested ``startExecution.sync``. Here each published version is also a machine of
its own, so an execution stays on the definition that it was started with.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import Any

_PARTS_OF_A_VERSION = 8  # arn:aws:states:<region>:<account>:stateMachine:<name>:<version>

Answer = tuple[int, Any, Any]
Handler = Callable[[dict[str, Any]], Answer]


def install() -> None:
    """Keep every version's definition, and hide the copies from lists."""
    from ministack.services import stepfunctions

    for name in (
        "_create_state_machine",
        "_update_state_machine",
        "_publish_state_machine_version",
    ):
        setattr(stepfunctions, name, _keeping(stepfunctions, getattr(stepfunctions, name)))
    stepfunctions._list_state_machines = _hiding(stepfunctions._list_state_machines)
    stepfunctions._delete_state_machine = _forgetting(
        stepfunctions, stepfunctions._delete_state_machine
    )


def is_version(arn: str) -> bool:
    """True for the ARN of a numbered version."""
    parts = arn.split(":")
    return len(parts) == _PARTS_OF_A_VERSION and parts[-1].isdigit()


def _keeping(service: Any, handler: Handler) -> Handler:
    @functools.wraps(handler)
    def keep(data: dict[str, Any]) -> Answer:
        answer = handler(data)
        if answer[0] < 300:
            arn = json.loads(answer[2] or "{}").get("stateMachineVersionArn", "")
            base = arn.rpartition(":")[0]
            if is_version(arn) and arn not in service._state_machines:
                service._state_machines[arn] = {**service._state_machines[base]}
        return answer

    return keep


def _hiding(handler: Handler) -> Handler:
    @functools.wraps(handler)
    def hide(data: dict[str, Any]) -> Answer:
        status, headers, body = handler(data)
        if status >= 300:
            return status, headers, body
        listed = json.loads(body)
        # A copy bears the name of its machine, so each is told once.
        by_arn = {one["stateMachineArn"]: one for one in reversed(listed["stateMachines"])}
        listed["stateMachines"] = [
            one for arn, one in reversed(by_arn.items()) if not is_version(arn)
        ]
        return status, headers, json.dumps(listed).encode()

    return hide


def _forgetting(service: Any, handler: Handler) -> Handler:
    @functools.wraps(handler)
    def forget(data: dict[str, Any]) -> Answer:
        base = str(data.get("stateMachineArn", ""))
        for arn in [arn for arn in service._state_machines if arn.startswith(f"{base}:")]:
            if is_version(arn):
                del service._state_machines[arn]
        return handler(data)

    return forget
