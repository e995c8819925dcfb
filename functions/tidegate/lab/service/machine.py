"""The state machine that trains: one execution per run, named after it."""

from __future__ import annotations

import json
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from tidegate_kit.errors import ServiceUnavailable


class Machine:
    """Step Functions. Both calls may be repeated."""

    def __init__(self, client: Any, machine_arn: str) -> None:
        self._client = client
        self._arn = machine_arn

    def launch(self, tenant_id: str, run_id: str) -> None:
        """Start a run's execution; one that was started already is fine."""
        given = json.dumps({"tenant_id": tenant_id, "run_id": run_id})
        self._call(
            "ExecutionAlreadyExists",
            lambda: self._client.start_execution(
                stateMachineArn=self._arn, name=run_id, input=given
            ),
        )

    def stop(self, run_id: str) -> None:
        """Stop a run's execution; one that is over or never was is fine."""
        arn = f"{self._arn.replace(':stateMachine:', ':execution:')}:{run_id}"
        self._call(
            "ExecutionDoesNotExist",
            lambda: self._client.stop_execution(
                executionArn=arn, error="Cancelled", cause="The run was cancelled."
            ),
        )

    @staticmethod
    def _call(fine: str, call: Any) -> None:
        try:
            call()
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") != fine:
                raise ServiceUnavailable(log=f"stepfunctions: {error}") from error
        except BotoCoreError as error:
            raise ServiceUnavailable(log=f"stepfunctions: {error}") from error
